"""What every address of WHIP and WHEP answers alike: OPTIONS, and GET and HEAD with nothing."""

import re
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Depends, Response

from server.api.sdp_exchange import options

ENDPOINT_METHODS = "POST, GET, HEAD, OPTIONS"
CONNECTION_METHODS = "PATCH, DELETE, GET, HEAD, OPTIONS"


def add_bare_answers(
    router: APIRouter, path: str, methods: str, present: Callable[..., Any]
) -> None:
    """``methods`` for OPTIONS, which needs no key; 204 for GET and HEAD, since there is no
    representation of it. ``present``: a dependency that raises where there is nothing."""

    async def allowed_methods() -> Response:
        """What may be sent here; needs no key."""
        return options(methods)

    async def existence() -> Response:
        """It is there, and has no representation."""
        return Response(status_code=204)

    names = re.findall(r"{(\w+)}", router.prefix + path)
    places = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in names
    ]
    router.add_api_route(
        path,
        allowed_methods,
        methods=["OPTIONS"],
        response_class=Response,
        openapi_extra={"parameters": places},
    )
    router.add_api_route(
        path,
        existence,
        methods=["GET", "HEAD"],
        status_code=204,
        response_class=Response,
        dependencies=[Depends(present)],
    )
