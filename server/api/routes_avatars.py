"""/v1/avatars: list, upload, look at, delete."""

import time
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response, UploadFile

from server.api.access import Context, CurrentCaller
from server.api.openapi import BAD_PORTRAIT, STORAGE, problems
from server.avatars import Avatar, new_avatar
from server.context import ServerContext
from server.engine.client import EngineUnavailableError
from server.engine.messages import PortraitPlan

router = APIRouter(prefix="/v1/avatars", tags=["avatars"])


@router.get("", responses=problems(*STORAGE))
async def list_avatars(context: Context, caller: CurrentCaller) -> dict[str, object]:
    """Shipped portraits first, then the caller's own."""
    return {
        "avatars": [found.as_json() for found in await context.avatars.visible_to(caller.owner)]
    }


@router.post(
    "",
    status_code=201,
    responses=problems("conflict", "engine_starting", *BAD_PORTRAIT, *STORAGE),
)
async def upload_avatar(
    context: Context, caller: CurrentCaller, image: UploadFile, name: Annotated[str, Form()] = ""
) -> dict[str, object]:
    """A portrait of one face, as JPEG, PNG or WebP; the caller's alone."""
    await context.avatars.check_room(caller.owner)
    avatar = await prepared(context, new_avatar(name, await image.read()))
    try:
        await context.avatars.keep(avatar, caller.owner)
    except BaseException:
        context.pool.forget(avatar.avatar_id)
        raise
    return avatar.facts.as_json()


@router.get("/{avatar_id}", responses=problems(*STORAGE))
async def get_avatar(context: Context, caller: CurrentCaller, avatar_id: str) -> dict[str, object]:
    """One avatar."""
    return (await context.avatars.facts(avatar_id, caller.owner)).as_json()


@router.get(
    "/{avatar_id}/image",
    response_class=Response,
    responses={
        200: {"content": {kind: {} for kind in ("image/jpeg", "image/png", "image/webp")}},
        304: {"description": "If-None-Match named the picture that is there"},
        **problems(*STORAGE),
    },
)
async def get_avatar_image(
    request: Request, context: Context, caller: CurrentCaller, avatar_id: str
) -> Response:
    """Its picture as it was uploaded, camera notes and all: it is for its owner alone."""
    avatar = await context.avatars.get(avatar_id, caller.owner)
    tag = f'"{avatar.sha256}"'
    headers = {
        "Cache-Control": "private, max-age=3600",
        "ETag": tag,
        "X-Content-Type-Options": "nosniff",
    }
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(avatar.image, media_type=avatar.media_type, headers=headers)


@router.delete("/{avatar_id}", status_code=204, responses=problems("forbidden", *STORAGE))
async def delete_avatar(context: Context, caller: CurrentCaller, avatar_id: str) -> None:
    """Uploads only; running sessions keep their face."""
    await context.avatars.delete(avatar_id, caller.owner)
    context.pool.forget(avatar_id)


async def prepared(context: ServerContext, avatar: Avatar) -> Avatar:
    """The avatar with its warnings, known to the engine. Raises PortraitError,
    EngineUnavailableError."""
    if not context.pool.client.ready:
        raise EngineUnavailableError("the engine is still loading; try again in a few seconds")
    async with context.avatars.preparing:
        began = time.monotonic()
        facts = await context.pool.prepare(PortraitPlan(avatar.avatar_id, avatar.image))
        context.metrics.prepare_s.observe(time.monotonic() - began)
    return replace(avatar, facts=replace(avatar.facts, warnings=facts.warnings))
