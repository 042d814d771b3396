"""The studio's place in the server: Gradio is imported when somebody first opens the page.

That import takes seconds and much memory, so neither the server's start nor servers whose studio
nobody opens pay for it. Until the page is there, browsers get a small one that asks again.
"""

import asyncio
import contextlib
import gc
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog
from fastapi import FastAPI
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.api.problems import problem_response
from server.config.settings import Settings
from server.jobs.runner import JobRunner
from server.studio.parts import StudioParts
from server.studio.preview import Preview

log = structlog.get_logger(__name__)

PATH = "/studio"
_POLICY = (
    b"default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; frame-ancestors 'self';"
    b" form-action 'self'; base-uri 'self'"
)
_WAITING_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><meta http-equiv="refresh" content="1">
<title>Visavis studio</title><link rel="icon" href="/icon.svg" type="image/svg+xml">
<style>body{font:16px/1.5 system-ui,sans-serif;display:grid;
place-items:center;min-height:90vh;margin:0}</style></head>
<body><p role="status">Opening the studio&hellip;</p></body></html>"""


class StudioMount:
    """An ASGI application; ``add_to`` an app, and put ``running`` around that app's life."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._building: asyncio.Task[ASGIApp] | None = None
        self._parts: StudioParts | None = None
        self._gradio_life = contextlib.AsyncExitStack()

    def add_to(self, app: FastAPI) -> None:
        """Mount it, with its address without the slash."""
        # relative, so that it holds behind a proxy that serves the server under a prefix
        here = RedirectResponse(PATH.removeprefix("/") + "/", 307)
        app.add_route(PATH, lambda _: here, include_in_schema=False)
        icon = RedirectResponse("icon.svg", 307)  # Gradio's page names no icon before it runs
        app.add_route("/favicon.ico", lambda _: icon, include_in_schema=False)
        app.mount(PATH, self)

    @asynccontextmanager
    async def running(self, jobs: JobRunner) -> AsyncIterator[None]:
        """Between these two moments pages are served; afterwards no job and no file is left."""
        with tempfile.TemporaryDirectory(prefix="visavis-studio-") as folder:
            root = Path(folder)
            self._parts = StudioParts(root, jobs, Preview(), self._settings)
            try:
                yield
            finally:
                await self._close(self._parts)
                self._parts = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forwards to Gradio; http and websocket."""
        if scope["type"] not in ("http", "websocket"):
            return
        send = _guarded(send)
        if not self._settings.studio_open or self._parts is None:
            await self._refuse(scope, receive, send)
            return
        if self._building is None:
            self._building = asyncio.create_task(self._build(self._parts))
        if not self._building.done() and _wants_page(scope):
            await HTMLResponse(_WAITING_PAGE, 200, {"Cache-Control": "no-store"})(
                scope, receive, send
            )
            return
        try:
            page = await asyncio.shield(self._building)
        except Exception as error:
            log.exception("studio_not_built")
            self._building = None  # the next visit tries again
            refusal = PlainTextResponse(f"The studio cannot be opened: {error}\n", 503)
            await refusal(scope, receive, send)
            return
        await page(_outside_of_mount(scope), receive, send)

    async def _build(self, parts: StudioParts) -> ASGIApp:
        host = await asyncio.to_thread(_build_quietly, parts)
        # Gradio's queue and its startup events live in the lifespan that it adds to its host
        await self._gradio_life.enter_async_context(host.router.lifespan_context(host))
        return host

    async def _close(self, parts: StudioParts) -> None:
        if self._building is not None:
            with contextlib.suppress(Exception):
                await self._building
        await asyncio.to_thread(parts.jobs.close)
        await asyncio.to_thread(parts.preview.close)
        await self._gradio_life.aclose()

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        refusal = problem_response(
            "forbidden",
            "the studio is off: this server asks for API keys, or its setting studio is off;"
            " VISAVIS_STUDIO=on opens it, with a key as the password",
            scope["path"],
        )
        await refusal(scope, receive, send)


def _build_quietly(parts: StudioParts) -> FastAPI:
    """In a thread. Collecting garbage among all these new modules would hold the event loop up
    again and again: measured, the loop's p99 lag meanwhile is 15 ms instead of 140."""
    gc.disable()
    try:
        from server.studio.host import build_host

        return build_host(parts, PATH)
    finally:
        gc.freeze()
        gc.enable()


def _wants_page(scope: Scope) -> bool:
    accepted = dict(scope["headers"]).get(b"accept", b"")
    return scope["type"] == "http" and scope["method"] == "GET" and b"text/html" in accepted


def _guarded(send: Send) -> Send:
    """Tells browsers to load nothing from anywhere else, whatever a component would like."""

    async def with_policy(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [*message.get("headers", []), (b"content-security-policy", _POLICY)]
            message = {**message, "headers": headers}
        await send(message)

    return with_policy


def _outside_of_mount(scope: Scope) -> Scope:
    """The scope as it was before ``app.mount``: Gradio's host mounts it at the same path again."""
    root_path: str = scope.get("root_path", "")
    return {**scope, "root_path": root_path.removesuffix(PATH)}
