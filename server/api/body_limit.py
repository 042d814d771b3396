"""Refuses request bodies that are too large or too slow, before they fill memory, disk or time."""

import asyncio
import contextlib
import time
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.images import MAX_IMAGE_BYTES
from server.api.output_schemas import MAX_BACKGROUND_CHARS
from server.api.problems import ApiError, refuse
from server.config.settings import Limits

FORM_OVERHEAD_BYTES = 64 * 1024
JSON_BYTES = 1024 * 1024
GRACE_S = 10.0  # a body may take this long, and so much longer as it has bytes at ...
SLOWEST_BYTES_PER_S = 16 * 1024


class _BodyRefusedError(Exception):
    """The rest of the body will not be read."""

    def __init__(self, reason: ApiError) -> None:
        super().__init__(str(reason))
        self.reason = reason


class BodyLimit:
    """ASGI middleware; a declared length is refused at once, another when it is passed."""

    def __init__(
        self, app: ASGIApp, limits: Limits, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._app = app
        self._limits = limits
        self._now = now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(receive, body_limit(scope["path"], self._limits), self._now)
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > body.limit:
            await refuse(body.too_large(), scope, receive, send)
            return
        answered = False

        async def watched(message: Message) -> None:
            nonlocal answered
            if body.refused is None:  # otherwise the application answers to a body cut short
                answered = True
                await send(message)

        with contextlib.suppress(_BodyRefusedError):
            await self._app(scope, body.receive, watched)
        if body.refused is not None and not answered:
            await refuse(body.refused, scope, receive, send)


class _Body:
    """One request's body: counts its bytes and their time."""

    def __init__(self, receive: Receive, limit: int, now: Callable[[], float]) -> None:
        self.limit = limit
        self.refused: ApiError | None = None
        self._receive = receive
        self._now = now
        self._began = now()
        self._bytes = 0
        self._whole = False

    def too_large(self) -> ApiError:
        return ApiError(
            "too_large", f"the body is larger than {self.limit} bytes, the most accepted"
        )

    async def receive(self) -> Message:
        """Raises _BodyRefusedError."""
        if self._whole:  # waiting for the client to leave has no limit
            return await self._receive()
        try:
            async with asyncio.timeout(self._left_s()):
                message = await self._receive()
        except TimeoutError as error:
            raise self._refuse(
                ApiError(
                    "request_timeout",
                    f"the body came too slowly: accepted are {GRACE_S:g} s and"
                    f" {SLOWEST_BYTES_PER_S // 1024} KiB/s",
                )
            ) from error
        self._bytes += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._bytes > self.limit:
            raise self._refuse(self.too_large())
        return message

    def _left_s(self) -> float:
        due = self._began + GRACE_S + self._bytes / SLOWEST_BYTES_PER_S
        return max(0.0, due - self._now())

    def _refuse(self, reason: ApiError) -> _BodyRefusedError:
        self.refused = reason
        return _BodyRefusedError(reason)


def body_limit(path: str, limits: Limits) -> int:
    """Bytes that a request to ``path`` may carry."""
    if path == "/v1/sessions":
        return MAX_BACKGROUND_CHARS + JSON_BYTES
    if path.startswith("/v1/avatars"):
        return MAX_IMAGE_BYTES + FORM_OVERHEAD_BYTES
    if path == "/v1/videos":
        pictures = MAX_IMAGE_BYTES + MAX_BACKGROUND_CHARS
        return limits.max_audio_bytes + pictures + FORM_OVERHEAD_BYTES
    if path.endswith("/speech"):
        return limits.max_audio_bytes + FORM_OVERHEAD_BYTES
    if path == "/studio/gradio_api/upload":
        return limits.max_studio_upload_bytes + FORM_OVERHEAD_BYTES
    return JSON_BYTES
