"""What ``/v1/videos`` accepts and keeps."""

from pydantic import BaseModel, ConfigDict, Field


class VideoSettings(BaseModel):
    """Limits of the videos that are made from a portrait and a voice."""

    model_config = ConfigDict(extra="forbid")

    max_video_s: float = Field(default=600.0, gt=0, le=3600)
    max_waiting_per_owner: int = Field(default=8, ge=1)
    keep_days: float = Field(default=7.0, gt=0)
    max_total_bytes: int = Field(default=10 * 1024**3, ge=1024**2)
