"""The voice behind a URL, against a real HTTP server on this machine."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr, ValidationError
from structlog.testing import capture_logs

from models.shapes import PcmArray
from server.config.speech import SpeechSettings
from server.speech_synthesis.openai_service import OpenAiSynthesiser
from server.speech_synthesis.synthesiser import (
    SpeechServiceFailedError,
    UnknownVoiceError,
    voice_id,
)
from tests.speech_service import RATE_HZ, SERVICE_KEY, SpeechService, running_speech_service


@pytest.fixture(scope="module")
def one_service() -> Iterator[SpeechService]:
    with running_speech_service() as service:
        yield service


@pytest.fixture
def service(one_service: SpeechService) -> SpeechService:
    one_service.behaviour, one_service.seconds, one_service.redirected = "speaks", 1.0, 0
    one_service.requests.clear()
    one_service.keys.clear()
    one_service.hung_up.clear()
    return one_service


@pytest.fixture
async def synthesiser(service: SpeechService) -> AsyncIterator[OpenAiSynthesiser]:
    made = OpenAiSynthesiser(settings_of(service))
    yield made
    await made.close()


def settings_of(service: SpeechService, **changes: Any) -> SpeechSettings:
    values: dict[str, Any] = {
        "url": service.url,
        "api_key": SecretStr(SERVICE_KEY),
        "timeout_s": 5,
        "stall_timeout_s": 0.5,
    }
    return SpeechSettings(**(values | changes))


async def spoken(synthesiser: OpenAiSynthesiser, sentence: str = "Hello.") -> list[PcmArray]:
    return [pcm async for pcm in synthesiser.speak(sentence, "alloy")]


async def test_a_sentence_streams_in_at_48_khz(
    service: SpeechService, synthesiser: OpenAiSynthesiser
) -> None:
    pieces = await spoken(synthesiser, "Hello there.")
    heard = np.concatenate(pieces)
    assert len(pieces) > 3
    assert len(heard) == pytest.approx(48_000, abs=2)
    spectrum = np.abs(np.fft.rfft(heard[:48_000].astype(np.float64)))
    assert int(np.argmax(spectrum)) == pytest.approx(440, abs=1)
    assert service.requests == [
        {"model": "tts-1", "input": "Hello there.", "voice": "alloy", "response_format": "pcm"}
    ]
    assert service.keys == [f"Bearer {SERVICE_KEY}"]


async def test_the_rate_of_raw_samples_is_the_operators_to_say(service: SpeechService) -> None:
    synthesiser = OpenAiSynthesiser(settings_of(service, pcm_rate_hz=RATE_HZ // 2))
    heard = np.concatenate(await spoken(synthesiser))
    await synthesiser.close()
    assert len(heard) == pytest.approx(96_000, abs=4)


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("401", r"refuses this server's key \(status 401\)"),
        ("403", r"refuses this server's key \(status 403\)"),
        ("404", r"no such address, model or voice \(status 404\)"),
        ("429", r"too much to do.*\(status 429\)"),
        ("500", r"reports an error \(status 500\)"),
        ("503", r"reports an error \(status 503\)"),
        ("redirects", r"redirects, which is not followed \(status 307\)"),
        ("sends json", "sent application/json, which is no sound"),
        ("sends nothing", "sent no sound"),
        ("stalls", "did not answer in time"),
        ("breaks off", "cannot be reached, or hung up"),
    ],
)
async def test_a_service_that_misbehaves_is_named_and_no_secret_is_told(
    service: SpeechService, synthesiser: OpenAiSynthesiser, behaviour: str, reason: str
) -> None:
    service.behaviour = behaviour
    with capture_logs() as logs, pytest.raises(SpeechServiceFailedError, match=reason) as refusal:
        await spoken(synthesiser)
    told = f"{refusal.value} {logs}"
    assert SERVICE_KEY not in told
    assert service.url not in told
    assert service.redirected == 0
    service.behaviour = "speaks"
    assert await spoken(synthesiser)  # the next sentence has another chance


async def test_a_service_that_is_down_is_named() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        synthesiser = OpenAiSynthesiser(SpeechSettings(url=f"http://127.0.0.1:{port}"))
        with pytest.raises(SpeechServiceFailedError, match="cannot be reached"):
            await spoken(synthesiser)
        await synthesiser.close()


async def test_an_endless_answer_is_cut_off(
    service: SpeechService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.speech_synthesis.openai_service.MAX_ANSWER_BYTES", 20_000)
    synthesiser = OpenAiSynthesiser(settings_of(service))
    with pytest.raises(SpeechServiceFailedError, match="more than 20000 bytes"):
        await spoken(synthesiser)
    await synthesiser.close()


async def test_whoever_stops_listening_hangs_up(
    service: SpeechService, synthesiser: OpenAiSynthesiser
) -> None:
    service.behaviour = "stalls"
    listening = asyncio.create_task(spoken(synthesiser))
    async with asyncio.timeout(5):
        while not service.requests:
            await asyncio.sleep(0.01)
    listening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await listening
    assert await asyncio.to_thread(service.hung_up.wait, 5)


def test_voices_are_the_operators() -> None:
    named = SpeechSettings(url="http://127.0.0.1", voice="nova", voices=["echo", "nova"])
    synthesiser = OpenAiSynthesiser(named)
    assert [voice.id for voice in synthesiser.voices] == ["nova", "echo"]
    assert voice_id(synthesiser, None) == "nova"
    assert voice_id(synthesiser, "echo") == "echo"
    with pytest.raises(UnknownVoiceError, match="accepted: nova, echo"):
        voice_id(synthesiser, "../../secret")


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://speech.example.org/", "https://speech.example.org"),
        ("http://127.0.0.1:8880/v1", "http://127.0.0.1:8880"),
        ("http://127.0.0.1:8880/tts/v1/", "http://127.0.0.1:8880/tts"),
    ],
)
def test_the_address_is_taken_with_or_without_its_version(url: str, kept: str) -> None:
    assert SpeechSettings(url=url).url == kept


@pytest.mark.parametrize(
    "url", ["speech.example.org", "file:///etc/passwd", "ftp://a", "http://u:p@a", "http://a?x=1"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        SpeechSettings(url=url)
