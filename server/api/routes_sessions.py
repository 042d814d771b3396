"""/v1/sessions: start, look at, connect, end."""

import secrets

from fastapi import APIRouter

from server.api.access import AllowedSession, Caller, Context, CurrentCaller
from server.api.openapi import BAD_PORTRAIT, STORAGE, problems
from server.api.output_schemas import ice_servers_as_json
from server.api.problems import ApiError
from server.api.schemas import OfferBody, SessionBody
from server.context import ServerContext
from server.sessions.live_session import SessionPlan

router = APIRouter(prefix="/v1/sessions", tags=["sessions"])


@router.post(
    "",
    status_code=201,
    responses=problems(
        "not_found", "at_capacity", "draining", "engine_starting", *BAD_PORTRAIT, *STORAGE
    ),
)
async def start_session(
    context: Context, caller: CurrentCaller, body: SessionBody
) -> dict[str, object]:
    """A face of its own for one client. The token is good for this session alone."""
    live = await context.sessions.start(await session_plan(context, caller, body))
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
            "whep": f"{base}/whep",
            "stream": f"{base}/stream?token={live.token}",
        },
        "ice_servers": ice_servers_as_json(live.connections.ice_servers),
    }


@router.get("")
async def list_sessions(context: Context, caller: CurrentCaller) -> dict[str, object]:
    """The running sessions that this key started."""
    own = [live for live in context.sessions.all() if live.plan.owner == caller.owner]
    return {"sessions": [live.as_json() for live in own]}


@router.get("/{session_id}")
async def get_session(live: AllowedSession) -> dict[str, object]:
    """State and figures."""
    return live.as_json()


@router.delete("/{session_id}", status_code=204)
async def end_session(context: Context, live: AllowedSession) -> None:
    """Hang up and free everything."""
    await context.sessions.end(live.session_id, "deleted")


@router.post("/{session_id}/offer", responses=problems("not_acceptable", "bad_sdp"))
async def answer_offer(live: AllowedSession, body: OfferBody) -> dict[str, str]:
    """Connect over WebRTC; candidates are inside both descriptions."""
    live.touch()
    return {"sdp": await live.connections.answer(body.sdp), "type": "answer"}


async def session_plan(context: ServerContext, caller: Caller, body: SessionBody) -> SessionPlan:
    """What ``body`` asks for, where this caller may have it. Raises ApiError, OutputError."""
    limits = context.settings.limits
    return SessionPlan(
        owner=caller.owner,
        avatar=await context.avatars.get(body.avatar_id, caller.owner),
        mode=body.mode,
        voice_in=body.voice_in,
        listen=body.listen,
        levels=body.motion.levels(),
        output=body.output.options(),
        seed=body.seed if body.seed is not None else secrets.randbelow(2**31),
        idle_timeout_s=_within("idle_timeout_s", body.idle_timeout_s, limits.idle_timeout_s),
        max_duration_s=_within("max_duration_s", body.max_duration_s, limits.max_duration_s),
    )


def _within(name: str, asked: float | None, limit: float) -> float:
    if asked is not None and asked > limit:
        raise ApiError(
            "invalid_request", f"{name} is {asked:g}; this server accepts up to {limit:g}"
        )
    return limit if asked is None else asked
