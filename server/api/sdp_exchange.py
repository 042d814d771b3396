"""What WHIP (RFC 9725) and WHEP have in common: offers, candidates and restarts over HTTP."""

import re
from typing import Any

from fastapi import Request, Response
from starlette.datastructures import MutableHeaders

from models.errors import VisavisError
from server.api.openapi import BAD_PORTRAIT, STORAGE, problems
from server.api.problems import ApiError
from server.config.settings import Settings
from server.config.webrtc import IceServer
from server.sessions.capacity import AtCapacityError
from server.sessions.registry import DrainingError
from server.webrtc.connections import Connection, ViewersFullError
from server.webrtc.ice_fragment import parse_fragment
from server.webrtc.offers import BadSdpError

SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"
FULL = (AtCapacityError, ViewersFullError, DrainingError)
OFFER_BODY = {"requestBody": {"required": True, "content": {SDP: {"schema": {"type": "string"}}}}}
FRAGMENT_BODY = {
    "requestBody": {"required": True, "content": {FRAGMENT: {"schema": {"type": "string"}}}},
    "parameters": [
        {
            "name": "If-Match",
            "in": "header",
            "description": "the ETag of the ICE session, or * to restart it",
            "schema": {"type": "string"},
        }
    ],
}

_TEXT = {"schema": {"type": "string"}}
OFFER_RESPONSES: dict[int | str, dict[str, Any]] = {
    201: {"description": "The answer; Location is the connection's", "content": {SDP: _TEXT}},
    307: {"description": "Full; Location is another server's endpoint"},
    **problems(
        "not_found",
        "not_acceptable",
        "unsupported_media_type",
        "bad_sdp",
        "at_capacity",
        "draining",
        "engine_starting",
        *BAD_PORTRAIT,
        *STORAGE,
    ),
}
FRAGMENT_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "Restarted; our side's fragment", "content": {FRAGMENT: _TEXT}},
    204: {"description": "The candidates are taken"},
    **problems("precondition_failed", "precondition_required", "unsupported_media_type", "bad_sdp"),
}


async def body_of(request: Request, media_type: str) -> str:
    """Raises ApiError ``unsupported_media_type``, BadSdpError."""
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != media_type:
        raise ApiError(
            "unsupported_media_type", f"the body is {given or 'of no type'}; accepted: {media_type}"
        )
    try:
        return (await request.body()).decode()
    except UnicodeDecodeError as error:
        raise BadSdpError(f"the body is no UTF-8 text: {error}") from error


def created(
    connection: Connection, location: str, answer_sdp: str, servers: list[IceServer]
) -> Response:
    """201 with the answer; what the client needs for trickle ICE is in the headers."""
    response = Response(_with_trickle(answer_sdp), 201, media_type=SDP)
    response.headers["Location"] = location
    response.headers["ETag"] = _tag(connection)
    response.headers["Accept-Patch"] = FRAGMENT
    add_ice_links(response.headers, servers)
    return response


def add_ice_links(headers: MutableHeaders, servers: list[IceServer]) -> None:
    """One ``Link`` for each address (RFC 9725, section 4.6)."""
    for server in servers:
        secrets = ""
        if server.username is not None and server.credential is not None:
            secrets = (
                f'; username="{server.username}"; credential="{server.credential}"'
                '; credential-type="password"'
            )
        for url in server.urls:
            headers.append("Link", f'<{url}>; rel="ice-server"{secrets}')


async def patch_ice(request: Request, connection: Connection) -> Response:
    """204 for candidates; 200 with our side's fragment for a restart.

    Raises ApiError (428 without If-Match, 412 for another ICE session's), BadSdpError,
    RestartNotPossibleError.
    """
    fragment = parse_fragment(await body_of(request, FRAGMENT))
    async with connection.changing:
        _check_tag(request.headers.get("if-match"), _tag(connection))
        answer = await connection.take_fragment(fragment)
        if answer is None:
            return Response(status_code=204)
        return Response(answer, 200, {"ETag": _tag(connection)}, FRAGMENT)


def options(methods: str) -> Response:
    """What OPTIONS is answered with."""
    headers = {"Allow": methods}
    if "POST" in methods:
        headers["Accept-Post"] = SDP
    if "PATCH" in methods:
        headers["Accept-Patch"] = FRAGMENT
    return Response(status_code=200, headers=headers)


def elsewhere(request: Request, settings: Settings, full: VisavisError) -> Response:
    """307 to the server that is named for this case; raises ``full`` where none is."""
    if settings.webrtc.redirect_to is None:
        raise full
    base = str(settings.webrtc.redirect_to).rstrip("/")
    query = f"?{request.url.query}" if request.url.query else ""
    return Response(status_code=307, headers={"Location": f"{base}{request.url.path}{query}"})


def _tag(connection: Connection) -> str:
    return f'"{connection.ice_tag}"'


def _check_tag(if_match: str | None, current: str) -> None:
    if if_match is None:
        raise ApiError(
            "precondition_required",
            "send If-Match with the ETag of the ICE session, or * to restart",
        )
    given = [tag.strip() for tag in if_match.split(",")]
    # some clients quote the star
    if current not in given and not {"*", '"*"'} & set(given):
        raise ApiError("precondition_failed", f"If-Match is {if_match}, the ICE session {current}")


def _with_trickle(answer_sdp: str) -> str:
    """The answer says that candidates may follow, and that RTP and RTCP share a port."""
    sdp = re.sub(r"(?m)^(t=[^\r\n]*\r?\n)", r"\1a=ice-options:trickle\r\n", answer_sdp, count=1)
    return re.sub(r"(?m)^a=rtcp-mux\r?\n", "a=rtcp-mux\r\na=rtcp-mux-only\r\n", sdp)
