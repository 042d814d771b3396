"""/v1/sessions: start, look at, connect, speak, interrupt, end."""

import asyncio
import secrets

import numpy as np
from fastapi import APIRouter, Request
from starlette.datastructures import UploadFile

from models.errors import SoundError
from models.shapes import FloatArray, PcmArray
from models.sound import read_sound
from server.api.access import AllowedSession, Context, KeyRequired
from server.api.problems import ApiError
from server.api.routes_server import ice_servers
from server.api.schemas import OfferBody, SessionBody
from server.sessions.registry import LiveSession, SessionPlan
from server.voice.media_time import PLAYOUT_RATE_HZ, to_ms

router = APIRouter(prefix="/v1/sessions", tags=["sessions"])


@router.post("", status_code=201, dependencies=[KeyRequired])
async def start_session(context: Context, body: SessionBody) -> dict[str, object]:
    """A face of its own for one client. The token is good for this session alone."""
    limits = context.settings.limits
    plan = SessionPlan(
        avatar=context.avatars.get(body.avatar_id),
        mode=body.mode,
        voice_in=body.voice_in,
        levels=body.motion.levels(),
        output=body.output.options(),
        seed=body.seed if body.seed is not None else secrets.randbelow(2**31),
        idle_timeout_s=_within("idle_timeout_s", body.idle_timeout_s, limits.idle_timeout_s),
        max_duration_s=_within("max_duration_s", body.max_duration_s, limits.max_duration_s),
    )
    live = await context.sessions.start(plan)
    base = f"/v1/sessions/{live.session_id}"
    return {
        "id": live.session_id,
        "token": live.token,
        "state": live.session.state,
        "expires_at": live.expires_at.isoformat(),
        "width": live.size[0],
        "height": live.size[1],
        "urls": {
            "offer": f"{base}/offer",
            "whep": None,
            "stream": f"{base}/stream?token={live.token}",
        },
        "ice_servers": ice_servers(context),
    }


@router.get("", dependencies=[KeyRequired])
async def list_sessions(context: Context) -> dict[str, object]:
    """Every running session."""
    return {"sessions": [live.as_json() for live in context.sessions.all()]}


@router.get("/{session_id}")
async def get_session(live: AllowedSession) -> dict[str, object]:
    """State and figures."""
    return live.as_json()


@router.delete("/{session_id}", status_code=204)
async def end_session(context: Context, live: AllowedSession) -> None:
    """Hang up and free everything."""
    await context.sessions.end(live.session_id, "deleted")


@router.post("/{session_id}/offer")
async def answer_offer(live: AllowedSession, body: OfferBody) -> dict[str, str]:
    """Connect over WebRTC; candidates are inside both descriptions."""
    return {"sdp": await live.answer(body.sdp), "type": "answer"}


@router.post(
    "/{session_id}/speech",
    status_code=202,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "required": ["audio"],
                        "properties": {"audio": {"type": "string", "format": "binary"}},
                    }
                }
            },
        }
    },
)
async def say(request: Request, context: Context, live: AllowedSession) -> dict[str, str]:
    """Speak a sound file: WAV, FLAC, MP3, OGG/Opus or M4A."""
    live.touch()
    if request.headers.get("content-type", "").startswith("application/json"):
        raise ApiError(
            "text_to_speech_unavailable", "this server has no voice of its own; send audio"
        )
    _require_api_voice(live)
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


def to_pcm(wave: FloatArray) -> PcmArray:
    """[-1, 1] float [n] -> int16 [n]; louder is clipped."""
    pcm: PcmArray = np.round(np.clip(wave, -1.0, 32767 / 32768) * 32768).astype(np.int16)
    return pcm


def _require_api_voice(live: LiveSession) -> None:
    if live.plan.voice_in == "mic":
        raise ApiError("forbidden", 'this session\'s voice_in is "mic"; start one with "both"')


def _within(name: str, asked: float | None, limit: float) -> float:
    if asked is not None and asked > limit:
        raise ApiError(
            "invalid_request", f"{name} is {asked:g}; this server accepts up to {limit:g}"
        )
    return limit if asked is None else asked
