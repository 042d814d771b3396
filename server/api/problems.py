"""Every refusal as ``application/problem+json`` (RFC 9457) with a stable ``code``."""

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.errors import VisavisError

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
_MOST_CHARS = 2000  # of a refusal's detail

# code -> (status, title)
KNOWN: dict[str, tuple[int, str]] = {
    "bad_request": (400, "The request cannot be read"),
    "unauthorized": (401, "A key is needed"),
    "forbidden": (403, "Not allowed"),
    "forbidden_origin": (403, "Not from this page"),
    "forbidden_host": (403, "Not under this name"),
    "push_not_allowed": (403, "Sessions may not be pushed there"),
    "not_found": (404, "There is no such thing"),
    "method_not_allowed": (405, "The method is not allowed here"),
    "request_timeout": (408, "The request took too long to arrive"),
    "not_acceptable": (406, "Nothing in the offer can be served"),
    "conflict": (409, "Not possible in this state"),
    "too_large": (413, "Too large"),
    "precondition_failed": (412, "Another ICE session is the current one"),
    "precondition_required": (428, "The ICE session must be named"),
    "unsupported_media_type": (415, "The body has another type than is accepted"),
    "invalid_request": (422, "A field is missing or wrong"),
    "bad_portrait": (422, "The picture cannot become a portrait"),
    "not_an_image": (422, "Not an accepted picture"),
    "no_face": (422, "No face was found"),
    "several_faces": (422, "More than one face"),
    "face_too_small": (422, "The face is too small"),
    "bad_output": (422, "The picture cannot be shown like that"),
    "bad_audio": (422, "The sound cannot be read"),
    "bad_sdp": (422, "Not an acceptable session description"),
    "bad_push_url": (422, "Not a URL that can be pushed to"),
    "bad_text": (422, "The text cannot be spoken"),
    "unknown_voice": (422, "There is no such voice"),
    "speech_queue_full": (429, "The speech queue is full"),
    "video_queue_full": (429, "Too many videos wait"),
    "rate_limited": (429, "Too many calls"),
    "internal": (500, "Something went wrong in the server"),
    "ffmpeg_missing": (501, "FFmpeg is not installed on the server"),
    "text_to_speech_unavailable": (501, "Text to speech is not available"),
    "speech_service_failed": (502, "The voice does not speak"),
    "storage_unavailable": (503, "The server's storage does not answer"),
    "storage_full": (507, "The server's disk is full"),
    "storage_read_only": (507, "The server's storage cannot be written"),
    "at_capacity": (503, "Every place is taken"),
    "engine_starting": (503, "The engine is not ready yet"),
    "draining": (503, "The server is about to stop"),
}
_CODE_OF_STATUS = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
}
_RETRY_AFTER_S = {
    "at_capacity": 10,
    "engine_starting": 3,
    "draining": 10,
    "speech_queue_full": 5,
    "storage_unavailable": 5,
    "video_queue_full": 30,
}


class ApiError(VisavisError):
    """A refusal that belongs to the API alone; ``code`` is one of KNOWN."""

    def __init__(self, code: str, detail: str, retry_after_s: int | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.retry_after_s = retry_after_s


def problem_response(
    code: str, detail: str, path: str, retry_after_s: int | None = None
) -> JSONResponse:
    """The response of one refusal."""
    status, title = KNOWN.get(code, KNOWN["internal"])
    headers = {}
    retry_after_s = retry_after_s or _RETRY_AFTER_S.get(code)
    if retry_after_s is not None:
        headers["Retry-After"] = str(retry_after_s)
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    body = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "code": code,
        "detail": _sendable(detail),
        "instance": _sendable(path),
    }
    return JSONResponse(body, status, headers, MEDIA_TYPE)


async def refuse(error: ApiError, scope: Scope, receive: Receive, send: Send) -> None:
    """From outside of the routes; a WebSocket is refused before it opens."""
    if scope["type"] == "websocket" and "websocket.http.response" not in scope["extensions"]:
        await send({"type": "websocket.close", "code": 1008})
        return
    answer = problem_response(error.code, str(error), scope["path"], error.retry_after_s)
    await answer(scope, receive, send)


def _sendable(text: str) -> str:
    """What callers sent may be quoted in it: halves of characters cannot be sent back."""
    return text[:_MOST_CHARS].encode("utf-8", "replace").decode()


def add_problem_handlers(app: FastAPI) -> None:
    """Map every exception of a route to its problem."""

    @app.exception_handler(VisavisError)
    async def named(request: Request, error: VisavisError) -> JSONResponse:
        if KNOWN.get(error.code, (500, ""))[0] == 500:
            log.error("request_failed", path=request.url.path, reason=str(error))
        wait = error.retry_after_s if isinstance(error, ApiError) else None
        return problem_response(error.code, str(error), request.url.path, wait)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        details = "; ".join(
            f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}"
            for item in error.errors()
        )
        return problem_response("invalid_request", details, request.url.path)

    @app.exception_handler(HTTPException)
    async def plain(request: Request, error: HTTPException) -> JSONResponse:
        status = error.status_code
        usual = "bad_request" if status < 500 else "internal"
        code = _CODE_OF_STATUS.get(status, usual)
        answer = problem_response(code, str(error.detail), request.url.path)
        answer.headers.update(error.headers or {})
        return answer


class CrashGuard:
    """ASGI middleware: what no route foresaw becomes a problem, too, and is logged."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except ClientDisconnect:
            log.info("client_left", path=scope["path"])
        except Exception as error:
            log.error("request_crashed", path=scope["path"], exc_info=error)
            if started:
                raise  # the server closes the connection, so that the client sees the cut
            answer = problem_response(
                "internal", "the server has logged what happened", scope["path"]
            )
            await answer(scope, receive, send)
