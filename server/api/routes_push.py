"""/v1/sessions/{id}/push: the session's stream to an RTMP or SRT receiver.

Whoever may push decides where this server connects to, so it takes a key; a session's own token,
which every page that shows the face has, is not enough.
"""

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from server.api.access import AllowedSession, KeyRequired
from server.api.openapi import problems
from server.presenting.push import PushStatus

router = APIRouter(prefix="/v1/sessions", tags=["presenting"], dependencies=[KeyRequired])


class PushBody(BaseModel):
    """``url``: ``rtmp://HOST/APPLICATION/KEY``, ``rtmps://...`` or ``srt://HOST:PORT``."""

    model_config = ConfigDict(extra="forbid")

    url: str


@router.post(
    "/{session_id}/push",
    status_code=201,
    responses=problems("bad_push_url", "push_not_allowed", "conflict", "ffmpeg_missing"),
)
async def start_push(live: AllowedSession, body: PushBody) -> dict[str, object]:
    """Push the session there until it ends, again and again where the receiver goes away."""
    live.touch()
    return _as_json(live.pushes.start(body.url))


@router.get("/{session_id}/push")
async def list_pushes(live: AllowedSession) -> dict[str, object]:
    """Where the session is pushed to."""
    return {"pushes": [_as_json(status) for status in live.pushes.all()]}


@router.get("/{session_id}/push/{push_id}")
async def get_push(live: AllowedSession, push_id: str) -> dict[str, object]:
    """How one does."""
    return _as_json(live.pushes.get(push_id))


@router.delete("/{session_id}/push/{push_id}", status_code=204)
async def end_push(live: AllowedSession, push_id: str) -> None:
    """Say the stream's end to the receiver and stop."""
    await live.pushes.stop(push_id)


def _as_json(status: PushStatus) -> dict[str, object]:
    return {
        "id": status.push_id,
        "state": status.state,
        "url": status.url,
        "trouble": status.trouble,
    }
