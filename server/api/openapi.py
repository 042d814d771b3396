"""The OpenAPI text tells the truth: keys, refusals with their codes, what every call may answer.

Routes name the refusals that are theirs by ``responses=problems(...)``; those that may come from
anywhere (a wrong key, a body that is too large) are added here.
"""

import warnings
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

from server.api.gate import needs_key
from server.api.problems import KNOWN, MEDIA_TYPE

STORAGE = ("storage_unavailable", "storage_full", "storage_read_only")
BAD_PORTRAIT = (
    "bad_portrait",
    "not_an_image",
    "no_face",
    "several_faces",
    "face_too_small",
    "bad_output",
)
# the only field that makes the server call somebody: push.py compares it with the operator's list
TAKES_ADDRESSES = {"PushBody.url"}
_CODES = "x-codes"  # what problems() leaves for the text's last pass
_GENERATED = ("HTTPValidationError", "ValidationError")  # FastAPI's, which no client ever sees
_METHODS = ("get", "head", "post", "put", "patch", "delete", "options")
_PROBLEM = {
    "type": "object",
    "description": "RFC 9457. `code` is stable, `detail` is for people.",
    "required": ["type", "title", "status", "code", "detail", "instance"],
    "properties": {
        "type": {"type": "string", "const": "about:blank"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "enum": sorted(KNOWN)},
        "detail": {"type": "string"},
        "instance": {"type": "string", "description": "the path that was called"},
    },
}
_BEARER = {
    "type": "http",
    "scheme": "bearer",
    "description": "one of the server's keys; for one session also that session's token",
}


def problems(*codes: str) -> dict[int | str, dict[str, Any]]:
    """What a route may refuse with, for its ``responses``."""
    found: dict[int | str, dict[str, Any]] = {}
    for code in codes:
        response = found.setdefault(KNOWN[code][0], {"description": "", _CODES: []})
        response[_CODES].append(code)
    return found


def tell_the_truth(app: FastAPI) -> None:
    """Complete what FastAPI generates; once, when it is first asked for."""
    generate = app.openapi

    def complete() -> dict[str, Any]:
        if app.openapi_schema is None:
            with warnings.catch_warnings():
                # of GET and HEAD on one function; _operations gives each its own
                warnings.filterwarnings("ignore", "Duplicate Operation ID")
                text = generate()
            schemas = text.setdefault("components", {}).setdefault("schemas", {})
            for name in _GENERATED:
                schemas.pop(name, None)
            schemas["Problem"] = _PROBLEM
            text["components"]["securitySchemes"] = {"bearer": _BEARER}
            for path, method, operation in _operations(text):
                _complete(path, method, operation)
            app.openapi_schema = text
        return app.openapi_schema

    app.openapi = complete  # type: ignore[method-assign]


def _operations(text: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in text["paths"].items():
        for method, operation in methods.items():
            if method in _METHODS:
                name, _, _ = operation["operationId"].rpartition("_")
                operation["operationId"] = f"{name}_{method}"
                yield path, method, operation


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    codes = {code for response in responses.values() for code in response.pop(_CODES, ())}
    codes |= set(_general(path, method, operation))
    if MEDIA_TYPE not in responses.get("422", {}).get("content", {}):
        responses.pop("422", None)  # FastAPI's own form of it
    if needs_key(path) and method != "options":
        operation["security"] = [{"bearer": []}]
    by_status: dict[int, list[str]] = {}
    for code in sorted(codes):
        by_status.setdefault(KNOWN[code][0], []).append(code)
    for status, named in sorted(by_status.items()):
        responses[str(status)] = _response(named)


def _general(path: str, method: str, operation: dict[str, Any]) -> Iterator[str]:
    """Refusals that need no naming."""
    yield from ("bad_request", "forbidden_origin", "forbidden_host", "internal")
    if method == "options":
        return
    if needs_key(path):
        yield from ("unauthorized", "rate_limited")
    if "{" in path:
        yield "not_found"
    if "requestBody" in operation:
        yield from ("request_timeout", "too_large", "invalid_request")
    elif operation.get("parameters"):
        yield "invalid_request"


def _response(codes: list[str]) -> dict[str, Any]:
    told = {"properties": {"code": {"enum": codes}}}
    response: dict[str, Any] = {
        "description": "; ".join(f"`{code}`: {KNOWN[code][1].lower()}" for code in codes),
        "content": {
            MEDIA_TYPE: {"schema": {"allOf": [{"$ref": "#/components/schemas/Problem"}, told]}}
        },
    }
    if KNOWN[codes[0]][0] in (429, 503):
        response["headers"] = {
            "Retry-After": {"schema": {"type": "integer"}, "description": "seconds to wait"}
        }
    return response
