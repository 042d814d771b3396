"""A clip moves somebody else's portrait: do its lips and lids do what the driver's do?"""

from dataclasses import dataclass, replace

import numpy as np

from liveportrait.animate.lite_motion import driver_motion
from liveportrait.evaluation.clips import Clip
from liveportrait.evaluation.measures import eye_r, found_meshes, pearson
from liveportrait.lite.engine import LitePortrait, LiteRenderer
from models.face_keypoints import lip_gap
from models.face_landmarks import FaceDetector
from models.shapes import FloatArray, Image


@dataclass(frozen=True, slots=True)
class CrossDriving:
    """One driver on one portrait."""

    clip: str
    portrait: str
    lip_r: float  # Pearson of the lip gap, found again in the picture, with the driver's
    eye_r: float  # the same of the lids; NaN where the driver does not blink
    frames: list[Image]
    driver_gap: FloatArray  # [T] over the eye distance

    def without_pictures(self) -> "CrossDriving":
        """The figures alone."""
        return replace(self, frames=[])


def cross_drive(
    renderer: LiteRenderer, clip: Clip, portrait: tuple[str, LitePortrait], detector: FaceDetector
) -> CrossDriving:
    """Move ``portrait`` (its name, and it) as the clip moves."""
    name, face = portrait
    driven = renderer.drive(face, driver_motion(clip.meshes, relative=True, source=face.source))
    frames = [renderer.render([face], driven[at : at + 1])[0] for at in range(len(driven))]
    own, found = found_meshes(frames, detector)
    seen = np.flatnonzero(found)
    gap = lip_gap(clip.meshes)
    return CrossDriving(
        clip.name,
        name,
        pearson(lip_gap(own[seen]), gap[seen]),
        eye_r(own[seen], clip.meshes[seen]),
        frames,
        gap,
    )
