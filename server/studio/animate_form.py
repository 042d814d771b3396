"""The page's fields -> a job of the driving-video tool."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from liveportrait.animate.job import PICTURE_SUFFIXES, AnimateJob, CropBox
from liveportrait.animation.options import AnimationOptions

_SHARED = ("relative", "animation_region", "driving_multiplier")
_NEURAL = (
    "driving_option",
    "stitching",
    "normalize_lip",
    "eye_retargeting",
    "lip_retargeting",
)
_OF_SOURCE_VIDEOS = ("source_video_eye_retargeting", "smooth_variance")


def job_of(
    source: Path, driver: Path, out: Path, engine: str, quality: str, given: Mapping[str, Any]
) -> AnimateJob:
    """Field values by name -> the job. What engine or source do not have keeps its default.

    Raises ConfigError.
    """
    neural = engine == "liveportrait"
    names = _SHARED + (_NEURAL if neural else ())
    if neural and source.suffix.lower() not in PICTURE_SUFFIXES:
        names += _OF_SOURCE_VIDEOS
    options = AnimationOptions(**{name: given[name] for name in names})
    still = {driver.suffix.lower(), source.suffix.lower()} <= PICTURE_SUFFIXES
    extra: dict[str, Any] = {}
    if neural:
        box = given["crop_box"].strip()
        extra = {
            "crop_driving": given["crop_driving"],
            "animal": given["animal"],
            "crop_box": CropBox.parse(box) if box else None,
            "template_out": out.with_suffix(".safetensors") if given["template"] else None,
        }
    return AnimateJob(
        source=source,
        driving=driver,
        out=out.with_suffix(".png") if still else out,
        engine="liveportrait" if neural else "lite",
        quality="fast" if quality == "fast" else "quality",
        options=options,
        paste_back=given["paste_back"],
        sound=given["sound"],
        max_frames=int(given["max_frames"] or 0) or None,
        **extra,
    )
