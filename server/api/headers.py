"""What browsers are told about every answer: where it may be shown, and what its page may load."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.config.security import Security

_DATA_POLICY = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; sandbox"
_DATA_PATHS = ("/v1/", "/livez", "/readyz", "/metrics", "/openapi.json")
_PERMISSIONS = (
    "microphone=(self), camera=(), geolocation=(), display-capture=(), payment=(), usb=(),"
    " serial=(), bluetooth=(), midi=()"
)


def page_policy(security: Security) -> str:
    """The page's Content-Security-Policy: no line of script or style that is not a file of ours."""
    framers = " ".join(["'self'", *security.embed_origins])
    return (
        "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:;"
        " media-src 'self' blob: mediastream:; connect-src 'self'; object-src 'none';"
        f" base-uri 'none'; form-action 'self'; frame-ancestors {framers}"
    )


class SecurityHeaders:
    """ASGI middleware. Headers that an answer has already stay as they are."""

    def __init__(self, app: ASGIApp, security: Security) -> None:
        self._app = app
        self._page_policy = page_policy(security)
        self._everywhere = {
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Permissions-Policy": _PERMISSIONS,
            "Cross-Origin-Opener-Policy": "same-origin",
            # the pages of cors_origins fetch with CORS, to which this does not apply
            "Cross-Origin-Resource-Policy": "same-origin",
        }
        if not security.embed_origins:  # it can name no other origin, frame-ancestors can
            self._everywhere["X-Frame-Options"] = "SAMEORIGIN"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_data = scope["path"].startswith(_DATA_PATHS)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._everywhere.items():
                    headers.setdefault(name, value)
                policy = _DATA_POLICY if is_data else self._page_policy
                headers.setdefault("Content-Security-Policy", policy)
                if is_data:  # tokens are among the answers
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, with_headers)
