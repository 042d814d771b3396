"""Who may call what: API keys for everything, a session's token for that session."""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, WebSocket
from starlette.requests import HTTPConnection

from server.api.problems import ApiError
from server.config.settings import Settings
from server.context import ServerContext
from server.sessions.live_session import LiveSession

LOCAL_OWNER = "local"  # whoever calls a server that asks for no keys
STREAM_PROTOCOL = "visavis.v1"  # of the WebSocket; a client may send its token beside it
_TOKEN_PROTOCOL = "bearer."


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. ``owner`` names the key for good and never tells it."""

    owner: str


def context_of(connection: HTTPConnection) -> ServerContext:
    """The server's parts."""
    context: ServerContext = connection.app.state.context
    return context


def bearer(connection: HTTPConnection) -> str:
    """What the Authorization header carries, or nothing."""
    scheme, _, value = connection.headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""


def same_secret(given: str, secret: str) -> bool:
    """Takes as long for every ``given``, so that it cannot be guessed letter by letter."""
    return hmac.compare_digest(_digest(given), _digest(secret))


def is_key(value: str, keys: list[str]) -> bool:
    """Compared with all of them, so that the time does not tell which one it is."""
    return sum(same_secret(value, key) for key in keys) > 0


def owner_of(key: str) -> str:
    """What avatars, sessions and videos made with ``key`` belong to."""
    return hashlib.sha256(b"visavis owner\0" + key.encode()).hexdigest()[:32]


def caller_with(given: str, settings: Settings) -> Caller | None:
    """Whoever holds this key; everybody, where no keys are set."""
    if not settings.auth_required:
        return Caller(LOCAL_OWNER)
    return Caller(owner_of(given)) if is_key(given, settings.api_keys) else None


def require_key(request: Request) -> Caller:
    """Who calls. Raises ApiError ``unauthorized`` without a valid key, where keys are set."""
    caller = caller_with(bearer(request), context_of(request).settings)
    if caller is None:
        raise ApiError("unauthorized", "send Authorization: Bearer with one of the server's keys")
    return caller


def allowed_session(request: Request, session_id: str) -> LiveSession:
    """The session of the path, for its owner's key or its own token.

    Raises ApiError: ``not_found`` for a key whose session it is not, just as for one that is not
    there; ``unauthorized`` for every other secret.
    """
    context = context_of(request)
    given = bearer(request)
    caller = caller_with(given, context.settings)
    live = context.sessions.find(session_id)
    if caller is not None:
        if live is None or live.plan.owner != caller.owner:
            raise ApiError("not_found", f"there is no session {session_id!r}; it may have ended")
        return live
    if live is None or not same_secret(given, live.token):
        # an unknown session and a wrong token look the same from outside
        raise ApiError(
            "unauthorized", "send Authorization: Bearer with a key or this session's token"
        )
    return live


def secrets_of(connection: HTTPConnection) -> list[str]:
    """All keys and tokens that came along.

    The bearer; of a WebSocket, whose browser cannot set that header, also the subprotocol
    ``bearer.TOKEN`` and the query's ``token``, which may be in somebody's log.
    """
    given = [bearer(connection)]
    if connection.scope["type"] == "websocket":
        asked = _protocols(connection)
        given += [p.removeprefix(_TOKEN_PROTOCOL) for p in asked if p.startswith(_TOKEN_PROTOCOL)]
        given.append(connection.query_params.get("token", ""))
    return [secret for secret in given if secret]


def session_with(given: list[str], context: ServerContext) -> LiveSession | None:
    """The session whose token is one of these."""
    found = [
        live
        for live in context.sessions.all()
        if sum(same_secret(secret, live.token) for secret in given)
    ]
    return found[0] if found else None


def allowed_stream(socket: WebSocket, session_id: str) -> LiveSession | None:
    """The session whose events and voice this socket may have, for its token or its owner's key.

    Even a server without keys asks for the token.
    """
    context = context_of(socket)
    given = secrets_of(socket)
    by_token = session_with(given, context)
    live = context.sessions.find(session_id)
    keys = [secret for secret in given if is_key(secret, context.settings.api_keys)]
    if live is None:
        return None
    return live if by_token is live or live.plan.owner in map(owner_of, keys) else None


def agreed_protocol(socket: WebSocket) -> str | None:
    """The subprotocol to accept with: never the one that carries the token."""
    return STREAM_PROTOCOL if STREAM_PROTOCOL in _protocols(socket) else None


def _protocols(connection: HTTPConnection) -> list[str]:
    return [p.strip() for p in connection.headers.get("sec-websocket-protocol", "").split(",")]


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


Context = Annotated[ServerContext, Depends(context_of)]
AllowedSession = Annotated[LiveSession, Depends(allowed_session)]
CurrentCaller = Annotated[Caller, Depends(require_key)]
KeyRequired = Depends(require_key)
