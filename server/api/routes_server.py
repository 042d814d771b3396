"""GET /livez, /readyz, /metrics and /v1/server."""

from dataclasses import asdict

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from dit.moods import moods_of
from models.images import MAX_IMAGE_BYTES, MAX_SIDE_PX
from models.timing import FPS
from server.api.access import Context, KeyRequired
from server.api.openapi import problems
from server.api.output_schemas import choices_as_json, ice_servers_as_json
from server.api.stream_protocol import MAX_PCM_RATE_HZ, MIN_PCM_RATE_HZ
from server.config.settings import VERSION
from server.engine.client import EngineUnavailableError
from server.engine.config import MODES
from server.metrics import CONTENT_TYPE
from server.sessions.registry import DrainingError

router = APIRouter()


@router.get("/livez", tags=["health"])
async def livez() -> dict[str, str]:
    """The process is alive."""
    return {"status": "alive"}


@router.get("/readyz", tags=["health"], responses=problems("engine_starting"))
async def readyz(context: Context) -> dict[str, str]:
    """New sessions can be had: the engine is loaded, and the server is not about to stop."""
    if context.sessions.draining:
        raise DrainingError("the server is stopping")
    if not context.pool.client.ready:
        raise EngineUnavailableError("the engine is still loading")
    return {"status": "ready"}


@router.get(
    "/metrics", tags=["health"], dependencies=[KeyRequired], response_class=PlainTextResponse
)
async def metrics(context: Context) -> Response:
    """Prometheus text."""
    return Response(context.metrics.exposition(), media_type=CONTENT_TYPE)


@router.get("/v1/server", tags=["server"], dependencies=[KeyRequired])
async def describe(context: Context) -> dict[str, object]:
    """What this server is and what it accepts."""
    settings, info = context.settings, context.pool.info
    config = context.pool.config
    return {
        "name": "visavis",
        "version": VERSION,
        "ready": context.pool.client.ready,
        "engine": config.name,
        "device": info.device if info else None,
        "fps": FPS,
        "width": config.width,
        "height": config.height,
        "limits": {
            "max_sessions": context.sessions.capacity.max_sessions(info),
            "max_viewers": settings.webrtc.max_viewers,
            "max_image_bytes": MAX_IMAGE_BYTES,
            "max_image_side_px": MAX_SIDE_PX,
            "max_audio_bytes": settings.limits.max_audio_bytes,
            "max_text_chars": settings.speech.max_text_chars,
            "max_speech_s": settings.limits.max_speech_s,
            "idle_timeout_s": settings.limits.idle_timeout_s,
            "max_duration_s": settings.limits.max_duration_s,
            "max_video_s": settings.videos.max_video_s,
            "pcm_rates_hz": [MIN_PCM_RATE_HZ, MAX_PCM_RATE_HZ],
        },
        "capacity": {
            "max_sessions": context.sessions.capacity.max_sessions(info),
            "sessions": len(context.sessions.all()),
            "measured": settings.limits.max_sessions == "auto" and info is not None,
        },
        "output": choices_as_json(info.choices) if info else None,
        "moods": list(moods_of(config.renderer or "lite")),
        "modes": list(MODES),
        "voice_in": ["mic", "api", "both"],
        "text_to_speech": context.synthesiser is not None,
        "voices": [asdict(v) for v in context.synthesiser.voices] if context.synthesiser else [],
        "studio": settings.studio_open,
        "ice_servers": ice_servers_as_json(settings.webrtc.ice_servers),
    }
