from pathlib import Path

import pytest

from models.errors import ConfigError
from server.config.settings import is_loopback, load_settings


def write(folder: Path, text: str) -> Path:
    path = folder / "settings.yaml"
    path.write_text(text)
    return path


def test_the_default_file_says_what_the_code_says(tmp_path: Path) -> None:
    assert load_settings() == load_settings(write(tmp_path, "{}"))


def test_command_line_wins_over_environment_and_that_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, "port: 1000\nlog_level: debug\nlimits: {max_sessions: 3}\n")
    assert load_settings(path).port == 1000
    monkeypatch.setenv("VISAVIS_PORT", "2000")
    monkeypatch.setenv("VISAVIS_LIMITS__MAX_SESSIONS", "7")
    settings = load_settings(path)
    assert (settings.port, settings.limits.max_sessions) == (2000, 7)
    assert load_settings(path, port=3000).port == 3000
    assert load_settings(path, port=None).log_level == "debug"


def test_keys_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISAVIS_API_KEYS", "one, two,")
    assert load_settings().api_keys == ["one", "two"]
    assert load_settings().auth_required


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("colour: red", "colour"),
        ("port: 99999", "port"),
        ("- a", "names and values"),
        ("a: [", "cannot read"),
    ],
)
def test_a_bad_file_is_a_clear_error(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        load_settings(write(tmp_path, text))


def test_a_missing_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        load_settings(tmp_path / "none.yaml")


def test_an_open_host_needs_keys_or_an_order(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="VISAVIS_API_KEYS"):
        load_settings(host="0.0.0.0")
    assert load_settings(host="0.0.0.0", allow_without_keys=True).host == "0.0.0.0"
    monkeypatch.setenv("VISAVIS_API_KEYS", "key")
    assert load_settings(host="0.0.0.0").auth_required


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("10.0.0.1", False), ("x", False)],
)
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
