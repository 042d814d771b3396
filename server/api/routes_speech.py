"""/v1/sessions/{id}/speech and /interrupt: what a face is to say, and silence."""

import asyncio

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.datastructures import UploadFile

from models.errors import SoundError
from models.shapes import PcmArray
from models.sound import read_sound
from server.api.access import AllowedSession, Context
from server.api.openapi import problems
from server.api.problems import ApiError
from server.sessions.live_session import LiveSession
from server.voice.media_time import PLAYOUT_RATE_HZ, to_ms
from server.voice.pcm import to_pcm

router = APIRouter(prefix="/v1/sessions", tags=["speech"])

MAX_JSON_BYTES = 1024 * 1024


class TextBody(BaseModel):
    """A text to be spoken; without ``voice`` by the server's usual one."""

    model_config = ConfigDict(extra="forbid")

    text: str
    voice: str | None = None


@router.post(
    "/{session_id}/speech",
    status_code=202,
    responses=problems(
        "forbidden",
        "bad_audio",
        "speech_queue_full",
        "bad_text",
        "unknown_voice",
        "text_to_speech_unavailable",
        "speech_service_failed",
    ),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": TextBody.model_json_schema()},
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "required": ["audio"],
                        "properties": {"audio": {"type": "string", "format": "binary"}},
                    }
                },
            },
        }
    },
)
async def say(request: Request, context: Context, live: AllowedSession) -> dict[str, str]:
    """Speak a sound file (WAV, FLAC, MP3, OGG/Opus or M4A), or a text with one of the server's
    voices. A text that fails later is told by an event."""
    live.touch()
    _require_api_voice(live)
    if request.headers.get("content-type", "").startswith("application/json"):
        body = await _text_body(request)
        return {"speech_id": live.speaker.say(body.text, body.voice)}
    async with request.form(max_files=1, max_fields=4) as form:
        audio = form.get("audio")
        if not isinstance(audio, UploadFile):
            raise ApiError("invalid_request", "the form must have a file field named audio")
        data = await audio.read()
    async with context.sessions.decoding:
        pcm = await asyncio.to_thread(decode_speech, data, context.settings.limits.max_speech_s)
    return {"speech_id": live.session.say(pcm)}


@router.post("/{session_id}/interrupt")
async def interrupt(live: AllowedSession) -> dict[str, object]:
    """Silence at once; tells what was cut, and how much of it was heard."""
    live.touch()
    speech = live.session.interrupt()
    if speech is None:
        return {"speech_id": None, "position_ms": 0}
    return {"speech_id": speech.speech_id, "position_ms": to_ms(speech.heard)}


def decode_speech(data: bytes, max_seconds: float) -> PcmArray:
    """A sound file's bytes -> [n] int16 at 48 kHz. Raises SoundError."""
    if not data:
        raise SoundError("the sound file is empty")
    wave = read_sound(data, max_seconds=max_seconds, out_rate_hz=PLAYOUT_RATE_HZ)
    return to_pcm(wave)


async def _text_body(request: Request) -> TextBody:
    """Raises ApiError ``too_large``, RequestValidationError."""
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MAX_JSON_BYTES:
            raise ApiError("too_large", f"JSON may have up to {MAX_JSON_BYTES} bytes here")
    try:
        return TextBody.model_validate_json(bytes(data))
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_context=False)) from error


def _require_api_voice(live: LiveSession) -> None:
    if live.plan.voice_in == "mic":
        raise ApiError("forbidden", 'this session\'s voice_in is "mic"; start one with "both"')
