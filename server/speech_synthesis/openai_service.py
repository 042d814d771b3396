"""A voice behind ``POST {url}/v1/audio/speech``, as OpenAI's API has it and many others do.

The address comes from the operator's settings alone, and no redirect leads away from it: no
client can make this server call another one.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

import httpx
import structlog

from models.shapes import PcmArray
from server.config.speech import SpeechSettings
from server.speech_synthesis.synthesiser import SpeechServiceFailedError, VoiceChoice
from server.speech_synthesis.wav_stream import WavStream
from server.voice.pcm import PcmConverter

log = structlog.get_logger(__name__)

MAX_ANSWER_BYTES = 24 * 1024 * 1024  # two minutes at 48 kHz, twice over: no sentence is as long
CONNECT_LIMIT_S = 5.0
MAX_CONNECTIONS = 16
_NO_SOUND = ("text/", "application/json", "application/problem+json", "application/xml")
_REASONS = {
    401: "refuses this server's key",
    403: "refuses this server's key",
    404: "has no such address, model or voice",
    429: "has too much to do, or the key's quota is used up",
}


class _Decoder(Protocol):
    def push(self, data: bytes) -> PcmArray | None: ...
    def finish(self) -> PcmArray: ...


class OpenAiSynthesiser:
    """A SpeechSynthesiser. Sentences of several sessions are asked for at the same time."""

    def __init__(self, settings: SpeechSettings) -> None:
        assert settings.url is not None
        self._settings = settings
        self._url = f"{settings.url}/v1/audio/speech"
        self._client: httpx.AsyncClient | None = None

    @property
    def voices(self) -> list[VoiceChoice]:
        """Those that the operator named."""
        names = dict.fromkeys([self._settings.voice, *self._settings.voices])
        return [VoiceChoice(name, name, None) for name in names]

    async def start(self) -> None:
        """Nothing: connections are opened when they are needed."""

    async def speak(self, sentence: str, voice: str) -> AsyncIterator[PcmArray]:
        """See SpeechSynthesiser: pieces come as the service sends them."""
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                async for pcm in self._stream(sentence, voice):
                    if len(pcm):
                        yield pcm
        except (TimeoutError, httpx.TimeoutException) as error:
            raise _failed("did not answer in time") from error
        except httpx.TransportError as error:
            # the message may name the address; the kind says enough
            log.error("speech_service_unreachable", kind=type(error).__name__)
            raise _failed("cannot be reached, or hung up") from error

    async def close(self) -> None:
        """Close its connections."""
        if self._client is not None:
            await self._client.aclose()

    async def _stream(self, sentence: str, voice: str) -> AsyncIterator[PcmArray]:
        settings = self._settings
        body = {
            "model": settings.model,
            "input": sentence,
            "voice": voice,
            "response_format": settings.response_format,
        }
        async with self._connected().stream("POST", self._url, json=body) as response:
            _check(response)
            decoder = self._decoder()
            received = 0
            async for data in response.aiter_bytes():
                received += len(data)
                if received > MAX_ANSWER_BYTES:
                    raise _failed(f"sent more than {MAX_ANSWER_BYTES} bytes for one sentence")
                if (pcm := decoder.push(data)) is not None:
                    yield pcm
            if not received:
                raise _failed("sent no sound")
            yield decoder.finish()

    def _decoder(self) -> _Decoder:
        if self._settings.response_format == "wav":
            return WavStream()
        return PcmConverter(self._settings.pcm_rate_hz)

    def _connected(self) -> httpx.AsyncClient:
        if self._client is None:
            key = self._settings.api_key
            self._client = httpx.AsyncClient(
                headers={"Authorization": f"Bearer {key.get_secret_value()}"} if key else {},
                timeout=httpx.Timeout(self._settings.stall_timeout_s, connect=CONNECT_LIMIT_S),
                limits=httpx.Limits(max_connections=MAX_CONNECTIONS),
                follow_redirects=False,
                trust_env=False,  # no proxy and no password file decides where the key goes
            )
        return self._client


def _check(response: httpx.Response) -> None:
    """Raises SpeechServiceFailedError for anything but sound."""
    status = response.status_code
    if status != 200:
        log.error("speech_service_refused", status=status)
        usual = "redirects, which is not followed" if 300 <= status < 400 else "reports an error"
        reason = _REASONS.get(status, usual)
        raise _failed(f"{reason} (status {status})")
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind.startswith(_NO_SOUND):
        raise _failed(f"sent {kind[:60]}, which is no sound")


def _failed(reason: str) -> SpeechServiceFailedError:
    return SpeechServiceFailedError(f"the speech service {reason}")
