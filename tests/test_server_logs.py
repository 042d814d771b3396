import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from server.logs import configure_logs


@pytest.fixture
def _logs_as_they_were() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


@pytest.mark.usefixtures("_logs_as_they_were")
def test_json_logs_are_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("json", "info")
    structlog.get_logger("server.x").info("happened", session="s_1")
    logging.getLogger("uvicorn.error").warning("careful")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (lines[0]["event"], lines[0]["session"], lines[0]["level"]) == (
        "happened",
        "s_1",
        "info",
    )
    assert lines[1]["event"] == "careful"
    assert lines[1]["timestamp"].endswith("Z")
