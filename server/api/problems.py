"""Every refusal as ``application/problem+json`` (RFC 9457) with a stable ``code``."""

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from models.errors import VisavisError

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"

# code -> (status, title)
KNOWN: dict[str, tuple[int, str]] = {
    "bad_request": (400, "The request cannot be read"),
    "unauthorized": (401, "A key is needed"),
    "forbidden": (403, "Not allowed"),
    "not_found": (404, "There is no such thing"),
    "method_not_allowed": (405, "The method is not allowed here"),
    "conflict": (409, "Not possible in this state"),
    "too_large": (413, "Too large"),
    "invalid_request": (422, "A field is missing or wrong"),
    "bad_portrait": (422, "The picture cannot become a portrait"),
    "not_an_image": (422, "Not an accepted picture"),
    "no_face": (422, "No face was found"),
    "several_faces": (422, "More than one face"),
    "face_too_small": (422, "The face is too small"),
    "bad_output": (422, "The picture cannot be shown like that"),
    "bad_audio": (422, "The sound cannot be read"),
    "bad_sdp": (422, "Not an acceptable session description"),
    "speech_queue_full": (429, "The speech queue is full"),
    "internal": (500, "Something went wrong in the server"),
    "text_to_speech_unavailable": (501, "Text to speech is not available"),
    "storage_unavailable": (503, "The server's storage does not answer"),
    "storage_full": (507, "The server's disk is full"),
    "storage_read_only": (507, "The server's storage cannot be written"),
    "at_capacity": (503, "Every place is taken"),
    "engine_starting": (503, "The engine is not ready yet"),
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
    "speech_queue_full": 5,
    "storage_unavailable": 5,
}


class ApiError(VisavisError):
    """A refusal that belongs to the API alone; ``code`` is one of KNOWN."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def problem_response(code: str, detail: str, path: str) -> JSONResponse:
    """The response of one refusal."""
    status, title = KNOWN.get(code, KNOWN["internal"])
    headers = {}
    if code in _RETRY_AFTER_S:
        headers["Retry-After"] = str(_RETRY_AFTER_S[code])
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    body = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "code": code,
        "detail": detail,
        "instance": path,
    }
    return JSONResponse(body, status, headers, MEDIA_TYPE)


def add_problem_handlers(app: FastAPI) -> None:
    """Map every exception of a route to its problem."""

    @app.exception_handler(VisavisError)
    async def named(request: Request, error: VisavisError) -> JSONResponse:
        if KNOWN.get(error.code, (500, ""))[0] == 500:
            log.error("request_failed", path=request.url.path, reason=str(error))
        return problem_response(error.code, str(error), request.url.path)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        details = "; ".join(
            f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}"
            for item in error.errors()
        )
        return problem_response("invalid_request", details, request.url.path)

    @app.exception_handler(HTTPException)
    async def plain(request: Request, error: HTTPException) -> JSONResponse:
        code = _CODE_OF_STATUS.get(error.status_code, "internal")
        return problem_response(code, str(error.detail), request.url.path)

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        log.error("request_crashed", path=request.url.path, exc_info=error)
        return problem_response("internal", "the server has logged what happened", request.url.path)
