"""How a Motion becomes the vector that the network sees, and back.

Channels, M = 70: pitch, yaw, roll, t (3), log scale, exp (21 x 3), each less its mean and over its
spread in the training data. The statistics travel inside the checkpoint: a network is of no use
with another engine's.
"""

from dataclasses import dataclass

import numpy as np

from models.motion import Motion
from models.shapes import KEYPOINTS, FloatArray, IntArray

POSE_CHANNELS = 7
MOTION_CHANNELS = POSE_CHANNELS + 3 * KEYPOINTS

Keypoints = tuple[int, ...]  # places in the engine's list of K keypoints


@dataclass(frozen=True, slots=True)
class FaceParts:
    """Which keypoints of an engine make up the mouth (lips and jaw), eyes (lids, irises), brows."""

    mouth: Keypoints
    lids: Keypoints
    irises: Keypoints
    brows: Keypoints


FACE_PARTS = {
    # models/face_keypoints.py: ten lips, chin, nose, two jaw angles, four lids, two brows, an iris
    "lite": FaceParts((*range(11), 12, 13), (14, 15, 16, 17), (20,), (18, 19)),
    # LivePortrait's implicit keypoints, by what its retargeting code moves: lips 6 12 14 17 19 20,
    # eyes 11 13 15 16 18, brows 1 2
    "liveportrait": FaceParts((6, 12, 14, 17, 19, 20), (11, 13, 15, 16, 18), (), (1, 2)),
}


@dataclass(frozen=True, slots=True)
class MotionLayout:
    """Statistics of an engine's motion.

    Raises ValueError for an unknown engine, other shapes, or a spread that is not above zero.
    """

    engine: str
    mean: FloatArray  # [M]
    spread: FloatArray  # [M]

    def __post_init__(self) -> None:
        if self.engine not in FACE_PARTS:
            raise ValueError(f"unknown engine {self.engine!r}; known: {', '.join(FACE_PARTS)}")
        for name in ("mean", "spread"):
            values = getattr(self, name)
            if values.shape != (MOTION_CHANNELS,) or not np.isfinite(values).all():
                raise ValueError(f"layout {name} is not {MOTION_CHANNELS} finite numbers")
        if (self.spread <= 0).any():
            raise ValueError("layout spread holds values that are not above zero")

    @property
    def parts(self) -> FaceParts:
        """The keypoints of mouth, eyes and brows."""
        return FACE_PARTS[self.engine]

    def normalise(self, motion: Motion) -> FloatArray:
        """Relative motion of T frames -> [T, M]. Raises ValueError on a scale not above zero."""
        return ((raw_vector(motion) - self.mean) / self.spread).astype(np.float32)

    def motion(self, vectors: FloatArray) -> Motion:
        """Inverse of ``normalise``: [T, M] -> relative motion of T frames."""
        raw = (vectors * self.spread + self.mean).astype(np.float32)
        return Motion(
            raw[:, 0],
            raw[:, 1],
            raw[:, 2],
            raw[:, 3:6],
            np.exp(raw[:, 6]),
            raw[:, POSE_CHANNELS:].reshape(-1, KEYPOINTS, 3),
        )


def raw_vector(motion: Motion) -> FloatArray:
    """Relative motion -> [T, M] in its own units. Raises ValueError on a scale not above zero."""
    if (motion.scale <= 0).any():
        raise ValueError("a motion's scale must be above zero")
    pose = [motion.pitch, motion.yaw, motion.roll, *motion.t.T, np.log(motion.scale)]
    exp = motion.exp.reshape(len(motion), 3 * KEYPOINTS)
    return np.concatenate([np.stack(pose, 1), exp], 1).astype(np.float32)


def layout_of(engine: str, motions: list[Motion]) -> MotionLayout:
    """Statistics over motions of T frames each; a floor keeps channels that hardly move calm."""
    vectors = np.concatenate([raw_vector(m) for m in motions])
    spread = vectors.std(0)
    floor = np.full(MOTION_CHANNELS, 0.25 * float(np.median(spread[POSE_CHANNELS:])), np.float32)
    floor[:POSE_CHANNELS] = (0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.003)
    mean = vectors.mean(0)
    mean[:POSE_CHANNELS] = 0.0  # the usual pose is the zero, however a clip's poses scatter
    return MotionLayout(engine, mean.astype(np.float32), np.maximum(spread, floor))


def channels_of(keypoints: Keypoints) -> IntArray:
    """Vector channels of all three coordinates of some keypoints."""
    return np.array(
        [POSE_CHANNELS + 3 * k + axis for k in keypoints for axis in range(3)], np.int64
    )
