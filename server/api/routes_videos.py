"""/v1/videos: order, look at, fetch, cancel."""

import asyncio
import secrets
from datetime import timedelta

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse

from models.errors import SoundError
from models.sound import read_sound
from models.timing import SAMPLE_RATE_HZ
from server.api.access import Context, CurrentCaller
from server.api.openapi import BAD_PORTRAIT, STORAGE, problems
from server.api.problems import ApiError
from server.api.video_form import FORM_SCHEMA, MAX_SEED, VideoForm, read_video_form
from server.context import ServerContext
from server.engine.client import EngineUnavailableError
from server.engine.messages import PortraitPlan
from server.storage.files import new_id
from server.storage.schema import VideoRow
from server.videos.video import Look, VideoOrder, video_as_json
from server.videos.video_store import content_file

router = APIRouter(prefix="/v1/videos", tags=["videos"])


@router.post(
    "",
    status_code=202,
    openapi_extra=FORM_SCHEMA,
    responses=problems(
        "not_found",
        "bad_audio",
        "video_queue_full",
        "text_to_speech_unavailable",
        "bad_text",
        "unknown_voice",
        "engine_starting",
        *BAD_PORTRAIT,
        *STORAGE,
    ),
)
async def order_video(
    request: Request, context: Context, caller: CurrentCaller
) -> dict[str, object]:
    """``avatar_id`` or ``image`` speaks ``audio`` or ``text``: an MP4, made when its turn comes."""
    videos = context.videos
    await videos.check_room(caller.owner)
    form = await read_video_form(request)
    if form.text is not None:
        context.text_speaker.check(form.text, form.voice)
    look = Look(
        form.output.options(),
        form.motion.levels(),
        form.seed if form.seed is not None else secrets.randbelow(MAX_SEED + 1),
    )
    duration_s = await _duration_s(context, form.audio)
    portrait = await _portrait(context, caller.owner, form, look)
    row = await videos.add(
        VideoOrder(
            owner=caller.owner,
            avatar_id=form.avatar_id,
            portrait=portrait,
            sound=form.audio,
            text=form.text,
            voice=form.voice,
            duration_s=duration_s,
            look=look,
        )
    )
    context.video_queue.wake()
    return _as_json(context, row)


@router.get("", responses=problems(*STORAGE))
async def list_videos(context: Context, caller: CurrentCaller) -> dict[str, object]:
    """The caller's, newest first."""
    rows = await context.videos.all(caller.owner)
    return {"videos": [_as_json(context, row) for row in rows]}


@router.get("/{video_id}", responses=problems(*STORAGE))
async def get_video(context: Context, caller: CurrentCaller, video_id: str) -> dict[str, object]:
    """Status and progress."""
    return _as_json(context, await context.videos.get(video_id, caller.owner))


@router.get(
    "/{video_id}/content",
    response_class=FileResponse,
    responses={
        200: {"content": {"video/mp4": {}}},
        206: {"content": {"video/mp4": {}}},
        **problems("conflict", *STORAGE),
    },
)
async def get_video_content(context: Context, caller: CurrentCaller, video_id: str) -> FileResponse:
    """The MP4: H264 and AAC. Takes ``Range``."""
    row = await context.videos.get(video_id, caller.owner)
    if row.status != "done":
        why = f": {row.error_message}" if row.error_message else ""
        raise ApiError(
            "conflict", f"the video is {row.status}{why}; its content is there when done"
        )
    path = context.storage.files.path(content_file(row.video_id))
    if not await asyncio.to_thread(path.is_file):
        raise ApiError("not_found", f"the file of video {video_id!r} is lost; delete it")
    return FileResponse(
        path,
        media_type="video/mp4",
        filename=f"visavis-{row.video_id}.mp4",
        headers={"Cache-Control": "private, max-age=3600", "X-Content-Type-Options": "nosniff"},
    )


@router.delete("/{video_id}", status_code=204, responses=problems(*STORAGE))
async def delete_video(context: Context, caller: CurrentCaller, video_id: str) -> None:
    """Cancels one that waits or is being made; forgets one that has ended. Its files go."""
    await context.videos.delete(video_id, caller.owner)
    context.video_queue.wake()


def _as_json(context: ServerContext, row: VideoRow) -> dict[str, object]:
    return video_as_json(row, timedelta(days=context.videos.settings.keep_days))


async def _duration_s(context: ServerContext, sound: bytes | None) -> float | None:
    """Decoded once to see that it can be. Raises SoundError."""
    if sound is None:
        return None
    if not sound:
        raise SoundError("the sound file is empty")
    most_s = context.videos.settings.max_video_s
    async with context.sessions.decoding:
        wave = await asyncio.to_thread(read_sound, sound, most_s)
    return len(wave) / SAMPLE_RATE_HZ


async def _portrait(context: ServerContext, owner: str, form: VideoForm, look: Look) -> bytes:
    """The picture's bytes, shown to the engine. Raises PortraitError, OutputError,
    EngineUnavailableError, ApiError ``not_found``."""
    if not context.pool.client.ready:
        raise EngineUnavailableError("the engine is still loading; try again in a few seconds")
    if form.avatar_id is not None:
        avatar_id = form.avatar_id
        image = (await context.avatars.get(avatar_id, owner)).image
    else:
        assert form.image is not None
        avatar_id, image = new_id("v"), form.image
    async with context.avatars.preparing:
        await context.pool.prepare(PortraitPlan(avatar_id, image, look.output))
    if form.avatar_id is None:
        context.pool.forget(avatar_id)
    return image
