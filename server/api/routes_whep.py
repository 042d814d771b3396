"""/v1/sessions/{id}/whep: watch a session (draft-ietf-wish-whep)."""

from fastapi import APIRouter, Request, Response

from server.api.access import AllowedSession, Context, allowed_session
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

router = APIRouter(prefix="/v1/sessions/{session_id}/whep", tags=["WHEP"])


@router.post(
    "",
    status_code=201,
    response_class=Response,
    openapi_extra=OFFER_BODY,
    responses=OFFER_RESPONSES,
)
async def watch(request: Request, context: Context, live: AllowedSession) -> Response:
    """One more viewer: picture and sound of the session, nothing from the viewer."""
    offer = await body_of(request, SDP)
    live.touch()
    try:
        connection, answer = await live.connections.watch(offer)
    except FULL as full:
        return elsewhere(request, context.settings, full)
    location = f"{request.url.path}/{connection.connection_id}"
    return created(connection, location, answer, live.connections.ice_servers)


@router.patch(
    "/{connection_id}",
    response_class=Response,
    openapi_extra=FRAGMENT_BODY,
    responses=FRAGMENT_RESPONSES,
)
async def trickle(request: Request, live: AllowedSession, connection_id: str) -> Response:
    """Further ICE candidates (204), or an ICE restart (200)."""
    return await patch_ice(request, live.connections.viewer(connection_id))


@router.delete("/{connection_id}", response_class=Response)
async def leave(live: AllowedSession, connection_id: str) -> Response:
    """Watch no longer; the session goes on."""
    await live.connections.dismiss(connection_id)
    return Response(status_code=200)


def watched(live: AllowedSession, connection_id: str) -> None:
    """Raises NoConnectionError for a connection that is not there."""
    live.connections.viewer(connection_id)


add_bare_answers(router, "", ENDPOINT_METHODS, allowed_session)
add_bare_answers(router, "/{connection_id}", CONNECTION_METHODS, watched)
