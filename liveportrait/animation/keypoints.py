"""What the motion extractor says about T pictures, and the keypoint equation over it."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from models.motion import Motion, rotation_matrix
from models.shapes import KEYPOINTS, FloatArray

_TAILS: dict[str, tuple[int, ...]] = {
    "pitch": (),
    "yaw": (),
    "roll": (),
    "t": (3,),
    "exp": (KEYPOINTS, 3),
    "scale": (),
    "kp": (KEYPOINTS, 3),
}


@dataclass(frozen=True, slots=True)
class KeypointInfo:
    """Head pose, expression and canonical keypoints of T frames, float32.

    Angles in degrees. Raises ValueError when the arrays have other shapes than stated or do not
    share their number of frames.
    """

    pitch: FloatArray  # [T]
    yaw: FloatArray  # [T]
    roll: FloatArray  # [T]
    t: FloatArray  # [T, 3]
    exp: FloatArray  # [T, K, 3]
    scale: FloatArray  # [T]
    kp: FloatArray  # [T, K, 3], canonical: the head straight, the face at rest

    def __post_init__(self) -> None:
        frames = self.pitch.shape[0] if self.pitch.ndim else 0
        for name, tail in _TAILS.items():
            shape = getattr(self, name).shape
            if shape != (frames, *tail):
                raise ValueError(f"keypoints.{name} has shape {shape}, not {(frames, *tail)}")

    def __len__(self) -> int:
        return int(self.pitch.shape[0])

    def __getitem__(self, frames: slice) -> "KeypointInfo":
        return KeypointInfo(**{f.name: getattr(self, f.name)[frames] for f in fields(self)})

    @property
    def rotation(self) -> FloatArray:
        """R of row vectors [T, 3, 3]."""
        return rotation_matrix(self.pitch, self.yaw, self.roll)

    def keypoints(self) -> FloatArray:
        """The keypoints in the picture, x [T, K, 3] (``transform``)."""
        return transform(self.kp, self.rotation, self.exp, self.scale, self.t)

    def to_motion(self) -> Motion:
        """The same as Motion: with ``kp`` it gives ``keypoints()``, so t has no depth."""
        return Motion(self.pitch, self.yaw, self.roll, without_depth(self.t), self.scale, self.exp)


def transform(
    kp: FloatArray, rotation: FloatArray, exp: FloatArray, scale: FloatArray, t: FloatArray
) -> FloatArray:
    """``scale * (kp @ R + exp) + (tx, ty, 0)``: [T, K, 3]. Each may have one frame for all.

    kp and exp [T, K, 3], rotation [T, 3, 3], scale [T], t [T, 3]. The depth of t is never
    applied (``transform_keypoint`` and ``execute`` of the official code).
    """
    turned = kp.astype(np.float64) @ rotation.astype(np.float64)  # [T, K, 3]
    moved = scale.astype(np.float64)[:, None, None] * (turned + exp) + without_depth(t)[:, None]
    return np.asarray(moved, np.float32)


def without_depth(t: FloatArray) -> FloatArray:
    """A copy of shifts [T, 3] with z = 0."""
    flat: FloatArray = t.astype(np.float32, copy=True)
    flat[:, 2] = 0
    return flat


def concatenate(infos: Sequence[KeypointInfo]) -> KeypointInfo:
    """Join frames one after the other."""
    return KeypointInfo(**{n: np.concatenate([getattr(i, n) for i in infos]) for n in _TAILS})
