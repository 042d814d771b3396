"""Turns callers away before anything of their request's body is read: wrong keys, too many calls.

The routes check again, and exactly: whose session, whose avatar. Here it only matters that nobody
without a secret can make the server read megabytes, and that nobody calls without end.
"""

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from server.api.access import caller_with, context_of, secrets_of, session_with
from server.api.problems import ApiError, refuse
from server.api.rates import RateLimiter, RateLimits, caller_at, whole_seconds
from server.config.settings import Settings

_SESSION_PATHS = ("/v1/sessions", "/v1/whip")
_UPLOAD_PATHS = ("/v1/avatars", "/v1/videos")


class Gate:
    """ASGI middleware around everything that needs a key."""

    def __init__(self, app: ASGIApp, settings: Settings, limits: RateLimits) -> None:
        self._app = app
        self._settings = settings
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            try:
                self._check(scope)
            except ApiError as error:
                await refuse(error, scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        """Raises ApiError ``bad_request``, ``unauthorized``, ``rate_limited``."""
        path: str = scope["path"]
        if any(ord(c) < 32 or ord(c) == 127 for c in path):
            raise ApiError("bad_request", "the address has control characters")
        if scope.get("method") == "OPTIONS" or not needs_key(path):
            return
        caller = self._caller(scope)
        _count(self._limits.requests, caller)
        if scope.get("method") == "POST":
            if path in _SESSION_PATHS:
                _count(self._limits.sessions, caller)
            elif path in _UPLOAD_PATHS or path.endswith("/speech"):
                _count(self._limits.uploads, caller)

    def _caller(self, scope: Scope) -> str:
        """Under which name the call is counted. Raises ApiError for a wrong key."""
        address = caller_at(scope["client"][0] if scope.get("client") else "")
        if not self._settings.auth_required:
            return address
        _refuse_while(self._limits.wrong_keys.wait_s(address))
        connection = HTTPConnection(scope)
        given = secrets_of(connection)
        for secret in given:
            if caller := caller_with(secret, self._settings):
                return caller.owner
        if live := session_with(given, context_of(connection)):
            return live.session_id
        if given:
            self._limits.wrong_keys.take(address)
        if scope["type"] == "http":
            raise ApiError(
                "unauthorized", "send Authorization: Bearer with a key or a session's token"
            )
        return address  # the WebSocket's route closes it with a reason that clients can read


def needs_key(path: str) -> bool:
    """Everything but the page, its files and whether the server is well."""
    return path.startswith("/v1/") or path == "/metrics"


def _count(limiter: RateLimiter, caller: str) -> None:
    _refuse_while(limiter.take(caller))


def _refuse_while(wait_s: float) -> None:
    if wait_s > 0:
        seconds = whole_seconds(wait_s)
        raise ApiError("rate_limited", f"too many calls; wait {seconds} s", retry_after_s=seconds)
