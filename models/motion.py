"""The motion contract between the motion generator and the renderers.

LivePortrait's keypoint equation, in its official conventions (degrees, row vectors)::

    x_d = scale * (x_c @ R(pitch, yaw, roll) + exp) + t        x_c, exp, x_d: [K, 3]

Source: "LivePortrait: Efficient Portrait Animation with Stitching and Retargeting Control"
(arXiv 2407.03168), eq. 2, and ``src/utils/camera.py`` of the official repository.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from models.shapes import KEYPOINTS, FloatArray

_TAILS: dict[str, tuple[int, ...]] = {
    "pitch": (),
    "yaw": (),
    "roll": (),
    "t": (3,),
    "scale": (),
    "exp": (KEYPOINTS, 3),
}


@dataclass(frozen=True, slots=True)
class Motion:
    """Motion of T frames. Angles in degrees; ``t`` and ``exp`` in the engine's keypoint units.

    Raises ValueError when the arrays do not share their number of frames or have other shapes.
    """

    pitch: FloatArray  # [T]
    yaw: FloatArray  # [T]
    roll: FloatArray  # [T]
    t: FloatArray  # [T, 3]
    scale: FloatArray  # [T]
    exp: FloatArray  # [T, K, 3]

    def __post_init__(self) -> None:
        frames = self.pitch.shape[0]
        for name, tail in _TAILS.items():
            shape = getattr(self, name).shape
            if shape != (frames, *tail):
                raise ValueError(f"motion.{name} has shape {shape}, not {(frames, *tail)}")

    def __len__(self) -> int:
        return int(self.pitch.shape[0])

    def __getitem__(self, frames: slice) -> "Motion":
        return Motion(**{f.name: getattr(self, f.name)[frames] for f in fields(self)})


def concatenate(motions: Sequence[Motion]) -> Motion:
    """Join motions one after the other."""
    return Motion(**{name: np.concatenate([getattr(m, name) for m in motions]) for name in _TAILS})


def rest(frames: int) -> Motion:
    """``frames`` of no motion at all: no turn, no shift, scale 1, neutral expression."""
    return Motion(
        pitch=np.zeros(frames, np.float32),
        yaw=np.zeros(frames, np.float32),
        roll=np.zeros(frames, np.float32),
        t=np.zeros((frames, 3), np.float32),
        scale=np.ones(frames, np.float32),
        exp=np.zeros((frames, KEYPOINTS, 3), np.float32),
    )


def rotation_matrix(pitch: FloatArray, yaw: FloatArray, roll: FloatArray) -> FloatArray:
    """R of row vectors [T, 3, 3] from angles in degrees [T]: ``(Rz @ Ry @ Rx)^T``."""
    x, y, z = (np.deg2rad(np.asarray(angle, np.float64)) for angle in (pitch, yaw, roll))
    one, zero = np.ones_like(x), np.zeros_like(x)
    rot_x = np.stack(
        [one, zero, zero, zero, np.cos(x), -np.sin(x), zero, np.sin(x), np.cos(x)], -1
    ).reshape(-1, 3, 3)
    rot_y = np.stack(
        [np.cos(y), zero, np.sin(y), zero, one, zero, -np.sin(y), zero, np.cos(y)], -1
    ).reshape(-1, 3, 3)
    rot_z = np.stack(
        [np.cos(z), -np.sin(z), zero, np.sin(z), np.cos(z), zero, zero, zero, one], -1
    ).reshape(-1, 3, 3)
    matrix: FloatArray = (rot_z @ rot_y @ rot_x).transpose(0, 2, 1).astype(np.float32)
    return matrix


def driven_keypoints(canonical: FloatArray, motion: Motion) -> FloatArray:
    """The equation above: canonical keypoints [K, 3] (any number of points) -> x_d [T, K, 3]."""
    turned = canonical @ rotation_matrix(motion.pitch, motion.yaw, motion.roll)  # [T, K, 3]
    moved: FloatArray = motion.scale[:, None, None] * (turned + motion.exp) + motion.t[:, None, :]
    return moved
