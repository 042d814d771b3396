"""Every failure that the server can report has words of its own on the page."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from server.api.problems import KNOWN

WEB = Path(__file__).resolve().parent.parent / "client" / "web"
ERROR_EVENTS = {
    "draining",
    "engine_error",
    "engine_restarted",
    "engine_failed",
    "invalid_event",
    "speech_queue_full",
}
ENDS = {
    "client_lost",
    "deleted",
    "engine_error",
    "idle_timeout",
    "internal_error",
    "max_duration",
    "never_connected",
    "server_stopping",
}


@pytest.fixture(scope="module")
def words() -> dict[str, dict[str, str]]:
    """The page's table, read by Node."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node is not installed; it reads the client's table of words")
    script = (
        "import { BY_CODE } from './scripts/live/problem-words.js';"
        "process.stdout.write(JSON.stringify(BY_CODE));"
    )
    command = [node, "--input-type=module", "-e", script]
    done = subprocess.run(command, cwd=WEB, capture_output=True, text=True, check=True)
    table: dict[str, dict[str, str]] = json.loads(done.stdout)
    return table


def test_every_refusal_has_words(words: dict[str, dict[str, str]]) -> None:
    assert sorted(set(KNOWN) - set(words)) == []


def test_every_error_event_and_every_end_has_words(words: dict[str, dict[str, str]]) -> None:
    assert sorted((ERROR_EVENTS | ENDS) - set(words)) == []


def test_words_say_what_happened_and_what_to_do(words: dict[str, dict[str, str]]) -> None:
    for code, told in words.items():
        assert told["title"].endswith("."), code
        assert told["advice"].endswith("."), code
        assert "_" not in told["title"], f"{code}: a code is no word"
