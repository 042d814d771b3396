"""/v1/avatars: list, upload, look at, delete."""

import time
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Form, Response, UploadFile

from server.api.access import Context, KeyRequired
from server.engine.client import EngineUnavailableError
from server.engine.messages import PortraitPlan

router = APIRouter(prefix="/v1/avatars", tags=["avatars"])


@router.get("", dependencies=[KeyRequired])
async def list_avatars(context: Context) -> dict[str, object]:
    """Shipped portraits first."""
    return {"avatars": [avatar.as_json() for avatar in context.avatars.all()]}


@router.post("", status_code=201, dependencies=[KeyRequired])
async def upload_avatar(
    context: Context, image: UploadFile, name: Annotated[str, Form()] = ""
) -> dict[str, object]:
    """A portrait of one face, as JPEG, PNG or WebP."""
    if not context.pool.client.ready:
        raise EngineUnavailableError("the engine is still loading; try again in a few seconds")
    avatar = context.avatars.new(name, await image.read())
    async with context.avatars.uploading:
        began = time.monotonic()
        facts = await context.pool.prepare(PortraitPlan(avatar.avatar_id, avatar.image))
        context.metrics.prepare_s.observe(time.monotonic() - began)
    avatar = replace(avatar, warnings=facts.warnings)
    context.avatars.keep(avatar)
    return avatar.as_json()


@router.get("/{avatar_id}", dependencies=[KeyRequired])
async def get_avatar(context: Context, avatar_id: str) -> dict[str, object]:
    """One avatar."""
    return context.avatars.get(avatar_id).as_json()


@router.get("/{avatar_id}/image", dependencies=[KeyRequired])
async def get_avatar_image(context: Context, avatar_id: str) -> Response:
    """Its picture, as it was uploaded."""
    avatar = context.avatars.get(avatar_id)
    headers = {"Cache-Control": "private, max-age=3600", "X-Content-Type-Options": "nosniff"}
    return Response(avatar.image, media_type=avatar.media_type, headers=headers)


@router.delete("/{avatar_id}", status_code=204, dependencies=[KeyRequired])
async def delete_avatar(context: Context, avatar_id: str) -> None:
    """Uploads only; running sessions keep their face."""
    context.avatars.delete(avatar_id)
    context.pool.forget(avatar_id)
