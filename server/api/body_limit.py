"""Refuses request bodies that are too large, before they fill memory or disk."""

import contextlib

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.images import MAX_IMAGE_BYTES
from server.api.output_schemas import MAX_BACKGROUND_CHARS
from server.api.problems import problem_response

FORM_OVERHEAD_BYTES = 64 * 1024
JSON_BYTES = 1024 * 1024


class _TooLargeError(Exception):
    """More bytes came than the path accepts."""


class BodyLimit:
    """ASGI middleware; a declared length is refused at once, another when it is passed."""

    def __init__(self, app: ASGIApp, max_audio_bytes: int, max_studio_upload_bytes: int) -> None:
        self._app = app
        self._max_audio_bytes = max_audio_bytes
        self._max_studio_upload_bytes = max_studio_upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._limit(scope["path"])
        refusal = problem_response(
            "too_large", f"the body is larger than {limit} bytes, the most accepted", scope["path"]
        )
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > limit:
            await refusal(scope, receive, send)
            return
        received = 0
        answered = False

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise _TooLargeError
            return message

        async def watched(message: Message) -> None:
            nonlocal answered
            if received <= limit:  # otherwise the application answers to a body cut short
                answered = True
                await send(message)

        with contextlib.suppress(_TooLargeError):
            await self._app(scope, counted, watched)
        if received > limit and not answered:
            await refusal(scope, receive, send)

    def _limit(self, path: str) -> int:
        if path == "/v1/sessions":
            return MAX_BACKGROUND_CHARS + JSON_BYTES
        if path.startswith("/v1/avatars"):
            return MAX_IMAGE_BYTES + FORM_OVERHEAD_BYTES
        if path.endswith("/speech"):
            return self._max_audio_bytes + FORM_OVERHEAD_BYTES
        if path == "/studio/gradio_api/upload":
            return self._max_studio_upload_bytes + FORM_OVERHEAD_BYTES
        return JSON_BYTES
