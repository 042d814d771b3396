from pathlib import Path

import pytest

from models.errors import ConfigError
from server.config.settings import load_settings
from server.speech_synthesis.choice import make_synthesiser
from server.speech_synthesis.embedded import EmbeddedSynthesiser
from server.speech_synthesis.openai_service import OpenAiSynthesiser

SECRET = "a-key-that-nobody-must-see"


def settings_file(folder: Path, text: str) -> Path:
    path = folder / "settings.yaml"
    path.write_text(text)
    return path


def test_the_embedded_voice_is_the_usual_one() -> None:
    assert isinstance(make_synthesiser(load_settings()), EmbeddedSynthesiser)


def test_a_bare_off_in_yaml_is_no_boolean(tmp_path: Path) -> None:
    settings = load_settings(settings_file(tmp_path, "text_to_speech: off"))
    assert settings.text_to_speech == "off"
    assert make_synthesiser(settings) is None


def test_a_service_needs_its_address(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"openai needs speech\.url"):
        load_settings(settings_file(tmp_path, "text_to_speech: openai"))


def test_address_and_key_come_from_the_environment_and_the_key_is_never_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VISAVIS_TEXT_TO_SPEECH", "openai")
    monkeypatch.setenv("VISAVIS_SPEECH__URL", "https://speech.example.org/v1")
    monkeypatch.setenv("VISAVIS_SPEECH__API_KEY", SECRET)
    monkeypatch.setenv("VISAVIS_SPEECH__VOICES", '["nova", "echo"]')
    settings = load_settings()
    assert settings.speech.url == "https://speech.example.org"
    assert settings.speech.voices == ["nova", "echo"]
    assert settings.speech.api_key is not None
    assert settings.speech.api_key.get_secret_value() == SECRET
    assert SECRET not in f"{settings!r} {settings.speech} {settings.model_dump_json()}"
    assert isinstance(make_synthesiser(settings), OpenAiSynthesiser)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("speech: {url: 'file:///etc/passwd'}", r"speech\.url"),
        ("speech: {url: 'https://name:password@example.org'}", r"speech\.url"),
        ("speech: {response_format: mp3}", r"speech\.response_format"),
        ("speech: {pcm_rate_hz: 96000}", r"speech\.pcm_rate_hz"),
        ("speech: {speed: 2}", r"speech\.speed"),
        ("text_to_speech: loud", "text_to_speech"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, line: str, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        load_settings(settings_file(tmp_path, line))
