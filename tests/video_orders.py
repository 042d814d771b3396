"""Videos to order."""

from liveportrait.output import OutputOptions
from server.engine.config import MotionLevels
from server.videos.video import Look, VideoOrder


def order(owner: str = "me", **changes: object) -> VideoOrder:
    """One second of anna."""
    fields: dict[str, object] = {
        "owner": owner,
        "avatar_id": "anna",
        "portrait": b"a face",
        "sound": b"a voice",
        "text": None,
        "voice": None,
        "duration_s": 1.0,
        "look": Look(OutputOptions(), MotionLevels(), 7),
    }
    return VideoOrder(**(fields | changes))  # type: ignore[arg-type]
