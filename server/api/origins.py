"""Keeps other people's web pages away: a browser calls a server on this machine for any of them.

A page on the web cannot read what a server on loopback answers, but it can make the browser ask,
and by a name that resolves to 127.0.0.1 (DNS rebinding) it could read as well. So the name under
which the server is called and the page that calls must both be known.
"""

import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from server.api.problems import ApiError, refuse
from server.config.settings import Settings


class OriginGuard:
    """ASGI middleware for HTTP and WebSockets. Programs, which send no Origin, pass."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            try:
                self._check(Headers(scope=scope))
            except ApiError as error:
                await refuse(error, scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _check(self, headers: Headers) -> None:
        """Raises ApiError ``forbidden_host``, ``forbidden_origin``."""
        host = headers.get("host", "")
        security = self._settings.security
        if not self._settings.auth_required and not self._is_own_name(host_name(host)):
            raise ApiError(
                "forbidden_host",
                f"this server is not called {host!r}; accepted are loopback names, addresses and"
                " the names of the setting security.allowed_hosts",
            )
        origin = headers.get("origin")
        if origin is None or origin.lower() in security.cors_origins:
            return
        if headers.get("sec-fetch-site") == "same-origin" or same_place(origin, host):
            return
        raise ApiError(
            "forbidden_origin",
            f"pages of {origin!r} may not call this server; accepted are its own and those of the"
            " setting security.cors_origins",
        )

    def _is_own_name(self, name: str) -> bool:
        if name in ("localhost", self._settings.host.lower()) or name.endswith(".localhost"):
            return True
        return name in self._settings.security.allowed_hosts or _is_address(name)


def host_name(host: str) -> str:
    """The Host header without its port; nothing where it is damaged."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def same_place(origin: str, host: str) -> bool:
    """Whether a page of ``origin`` came from the server that was called as ``host``."""
    try:
        page, server = urlsplit(origin), urlsplit(f"//{host}")
        return bool(page.hostname) and (page.hostname, page.port) == (server.hostname, server.port)
    except ValueError:  # a port that is no number
        return False


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
