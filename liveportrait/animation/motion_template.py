"""Motion templates: the motion of a driving video or picture, without its pixels."""

from dataclasses import dataclass
from typing import Any

from liveportrait.animation.keypoints import KeypointInfo
from liveportrait.animation.ratios import eye_ratios, lip_ratios
from models.shapes import KEYPOINTS, FloatArray

_TAILS: dict[str, tuple[int, ...]] = {
    "scale": (),
    "rotation": (3, 3),
    "exp": (KEYPOINTS, 3),
    "t": (3,),
    "eye_ratios": (2,),
    "lip_ratios": (1,),
    "canonical": (KEYPOINTS, 3),
}


@dataclass(frozen=True, slots=True)
class MotionTemplate:
    """Motion of T frames, float32. Raises ValueError on other shapes.

    One frame means that the driver was a picture.
    """

    fps: float
    scale: FloatArray  # [T]
    rotation: FloatArray  # [T, 3, 3], of row vectors
    exp: FloatArray  # [T, K, 3]
    t: FloatArray  # [T, 3]
    eye_ratios: FloatArray | None = None  # [T, 2]; animal templates have none
    lip_ratios: FloatArray | None = None  # [T, 1]; animal templates have none
    canonical: FloatArray | None = None  # [T, K, 3], the driver's own keypoints; not needed

    def __post_init__(self) -> None:
        frames = self.scale.shape[0]
        for name, tail in _TAILS.items():
            value = getattr(self, name)
            if value is not None and value.shape != (frames, *tail):
                raise ValueError(f"template.{name} has shape {value.shape}, not {(frames, *tail)}")

    def __len__(self) -> int:
        return int(self.scale.shape[0])

    def __getitem__(self, frames: slice) -> "MotionTemplate":
        cut: dict[str, Any] = {"fps": self.fps}
        for name in _TAILS:
            value = getattr(self, name)
            cut[name] = None if value is None else value[frames]
        return MotionTemplate(**cut)


def template_of(
    info: KeypointInfo, fps: float, landmarks: FloatArray | None = None
) -> MotionTemplate:
    """The template of a driving video (or picture): what the motion extractor saw in T frames.

    ``landmarks`` [T, 203, 2], any unit: without them the template has no eye and lip ratios.
    """
    return MotionTemplate(
        fps=fps,
        scale=info.scale,
        rotation=info.rotation,
        exp=info.exp,
        t=info.t,
        eye_ratios=None if landmarks is None else eye_ratios(landmarks),
        lip_ratios=None if landmarks is None else lip_ratios(landmarks),
        canonical=info.kp,
    )
