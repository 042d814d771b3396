"""Who may call what: API keys for everything, a session's token for that session."""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, WebSocket

from server.api.problems import ApiError
from server.context import ServerContext
from server.sessions.registry import LiveSession

LOCAL_OWNER = "local"  # whoever calls a server that asks for no keys


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. ``owner`` names the key for good and never tells it."""

    owner: str


def context_of(request: Request) -> ServerContext:
    """The server's parts."""
    context: ServerContext = request.app.state.context
    return context


def bearer(connection: Request | WebSocket) -> str:
    """What the Authorization header carries, or nothing."""
    scheme, _, value = connection.headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""


def is_key(value: str, keys: list[str]) -> bool:
    """Compared in constant time, so that a key cannot be guessed letter by letter."""
    return any(hmac.compare_digest(value.encode(), key.encode()) for key in keys)


def owner_of(key: str) -> str:
    """What avatars, sessions and videos made with ``key`` belong to."""
    return hashlib.sha256(b"visavis owner\0" + key.encode()).hexdigest()[:32]


def require_key(request: Request) -> Caller:
    """Who calls. Raises ApiError ``unauthorized`` without a valid key, where keys are set."""
    settings = context_of(request).settings
    if not settings.auth_required:
        return Caller(LOCAL_OWNER)
    given = bearer(request)
    if not is_key(given, settings.api_keys):
        raise ApiError("unauthorized", "send Authorization: Bearer with one of the server's keys")
    return Caller(owner_of(given))


def allowed_session(request: Request, session_id: str) -> LiveSession:
    """The session of the path, for a key or its own token. Raises ApiError."""
    context = context_of(request)
    settings = context.settings
    given = bearer(request)
    if not settings.auth_required or is_key(given, settings.api_keys):
        return context.sessions.get(session_id)
    try:
        live = context.sessions.get(session_id)
    except ApiError:
        live = None
    if live is None or not hmac.compare_digest(given.encode(), live.token.encode()):
        # an unknown session and a wrong token look the same from outside
        raise ApiError(
            "unauthorized", "send Authorization: Bearer with a key or this session's token"
        )
    return live


Context = Annotated[ServerContext, Depends(context_of)]
AllowedSession = Annotated[LiveSession, Depends(allowed_session)]
CurrentCaller = Annotated[Caller, Depends(require_key)]
KeyRequired = Depends(require_key)
