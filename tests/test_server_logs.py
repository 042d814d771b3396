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


@pytest.mark.usefixtures("_logs_as_they_were")
@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ('127.0.0.1 - "WebSocket /v1/sessions/s_1/stream?token=S3CRET-x_y" [accepted]', "S3CRET"),
        ("Authorization: Bearer S3CRET.abc", "S3CRET"),
        ("headers {'authorization': 'Bearer S3CRET'}", "S3CRET"),
        ("sec-websocket-protocol: visavis.v1, bearer.S3CRET", "S3CRET"),
        ("turn:relay.example credential='S3CRET'", "S3CRET"),
        ("postgresql+asyncpg://me:S3CRET@db/visavis", "S3CRET"),
        ("a=ice-pwd:S3CRET", "S3CRET"),
        ('{"api_key": "S3CRET"}', "S3CRET"),
        ("the operator's key is hunter2-of-the-server", "hunter2-of-the-server"),
    ],
)
def test_no_secret_reaches_the_log(
    text: str, secret: str, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs("console", "info", secrets=["hunter2-of-the-server"])
    logging.getLogger("uvicorn.error").info(text)
    structlog.get_logger("server.x").info("happened", text=text, parts=[{"inside": text}])
    try:
        raise ValueError(text)
    except ValueError:
        structlog.get_logger("server.x").exception("crashed")
    written = capsys.readouterr().err
    assert written.count("***") >= 4
    assert secret not in written


@pytest.mark.usefixtures("_logs_as_they_were")
def test_fields_named_like_secrets_are_hidden_and_others_stay(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs("json", "info")
    structlog.get_logger("x").info("e", token="S3CRET", session="s_1", monkey="ape", seconds=3)
    line = json.loads(capsys.readouterr().err)
    assert (line["token"], line["session"], line["monkey"]) == ("***", "s_1", "ape")
    assert line["seconds"] == 3
