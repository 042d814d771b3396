"""A video as it was ordered, and what has become of it."""

from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal, cast

from liveportrait.output import OutputOptions, PictureBackground
from server.api.output_schemas import OutputBody, output_as_json
from server.engine.config import MotionLevels
from server.storage.schema import VideoRow

VideoStatus = Literal["queued", "running", "done", "failed", "cancelled"]
WAITING: tuple[VideoStatus, ...] = ("queued", "running")
ENDED: tuple[VideoStatus, ...] = ("done", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Look:
    """How a video is to look and move."""

    output: OutputOptions
    levels: MotionLevels
    seed: int

    def as_json(self) -> dict[str, Any]:
        """The API's form, without a background's picture: that is a file."""
        return {
            "output": output_as_json(self.output),
            "motion": asdict(self.levels),
            "seed": self.seed,
        }

    @property
    def background_picture(self) -> bytes | None:
        """The picture file behind the person, where there is one."""
        background = self.output.background
        return background.image if isinstance(background, PictureBackground) else None


def look_of(stored: dict[str, Any], background_picture: bytes | None) -> Look:
    """What ``Look.as_json`` told, with its picture."""
    output, levels = dict(stored["output"]), MotionLevels(**stored["motion"])
    if background_picture is None:
        return Look(OutputBody.model_validate(output).options(), levels, stored["seed"])
    output.pop("background")
    plain = OutputBody.model_validate(output).options()
    background = PictureBackground(background_picture)
    return Look(replace(plain, background=background), levels, stored["seed"])


@dataclass(frozen=True, slots=True)
class VideoOrder:
    """What a caller asked for. Sound or text; ``duration_s`` is known of sound alone."""

    owner: str
    avatar_id: str | None
    portrait: bytes
    sound: bytes | None
    text: str | None
    voice: str | None
    duration_s: float | None
    look: Look


def video_as_json(row: VideoRow, keep: timedelta) -> dict[str, object]:
    """The API's form."""
    status = cast(VideoStatus, row.status)
    error = None
    if row.error_code is not None:
        error = {"code": row.error_code, "message": row.error_message}
    return {
        "id": row.video_id,
        "status": status,
        "progress": round(row.progress, 3),
        "error": error,
        "avatar_id": row.avatar_id,
        "text": row.text,
        "voice": row.voice,
        **row.look,
        "duration_s": None if row.duration_s is None else round(row.duration_s, 2),
        "size_bytes": row.byte_count if status == "done" else None,
        "created_at": row.created_at.isoformat(),
        "finished_at": _moment(row.finished_at),
        "expires_at": _moment(row.finished_at and row.finished_at + keep),
        "content_url": f"/v1/videos/{row.video_id}/content" if status == "done" else None,
    }


def _moment(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None
