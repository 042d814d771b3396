"""/v1/whip: a voice comes in (RFC 9725) and opens a session, whose face is watched over WHEP."""

from fastapi import APIRouter, Query, Request, Response

from server.api.access import AllowedSession, Context, CurrentCaller, require_key
from server.api.routes_sessions import session_plan
from server.api.schemas import SessionBody
from server.api.sdp_exchange import (
    FRAGMENT_BODY,
    FRAGMENT_RESPONSES,
    FULL,
    OFFER_BODY,
    OFFER_RESPONSES,
    SDP,
    body_of,
    created,
    elsewhere,
    patch_ice,
)
from server.api.sdp_routes import CONNECTION_METHODS, ENDPOINT_METHODS, add_bare_answers
from server.webrtc.connections import NoConnectionError

WHEP_RELATION = "urn:visavis:whep"

router = APIRouter(prefix="/v1/whip", tags=["WHIP"])


@router.post(
    "",
    status_code=201,
    response_class=Response,
    openapi_extra=OFFER_BODY,
    responses=OFFER_RESPONSES,
)
async def publish(
    request: Request,
    context: Context,
    caller: CurrentCaller,
    avatar_id: str = Query(max_length=100),
) -> Response:
    """A session that speaks with the caller's voice. Its ``Link`` names where to watch it."""
    offer = await body_of(request, SDP)
    body = SessionBody(avatar_id=avatar_id, voice_in="mic")
    try:
        live = await context.sessions.start(await session_plan(context, caller, body))
    except FULL as full:
        return elsewhere(request, context.settings, full)
    try:
        connection, answer = await live.connections.publish(offer)
    except BaseException:
        await context.sessions.end(live.session_id, "never_connected")
        raise
    location = f"{request.url.path}/{live.session_id}"
    response = created(connection, location, answer, live.connections.ice_servers)
    watch = f"/v1/sessions/{live.session_id}/whep"
    response.headers.append("Link", f'<{watch}>; rel="{WHEP_RELATION}"; token="{live.token}"')
    return response


@router.patch(
    "/{session_id}",
    response_class=Response,
    openapi_extra=FRAGMENT_BODY,
    responses=FRAGMENT_RESPONSES,
)
async def trickle(request: Request, live: AllowedSession) -> Response:
    """Further ICE candidates (204), or an ICE restart (200)."""
    return await patch_ice(request, live.connections.publisher())


@router.delete("/{session_id}", response_class=Response)
async def hang_up(context: Context, live: AllowedSession) -> Response:
    """The voice has ended, and the session with it."""
    if not live.connections.publishes:
        raise NoConnectionError("no voice comes over WHIP into this session")
    await context.sessions.end(live.session_id, "deleted")
    return Response(status_code=200)


def published(live: AllowedSession) -> None:
    """Raises NoConnectionError where no voice comes over WHIP."""
    live.connections.publisher()


add_bare_answers(router, "", ENDPOINT_METHODS, require_key)
add_bare_answers(router, "/{session_id}", CONNECTION_METHODS, published)
