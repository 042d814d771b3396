"""Do the joints between hops show, and does a long stream drift?"""

from dataclasses import dataclass

import numpy as np

from dit.evaluation.lips import generated_lips
from dit.layout import FACE_PARTS
from models.motion import Motion
from models.shapes import AnyArray, FloatArray
from models.timing import FPS

FRAMES_PER_MINUTE = 60 * FPS


@dataclass(frozen=True, slots=True)
class BorderRatios:
    """Mean movement at hop borders over that elsewhere; 1 is a joint that does not show."""

    mouth_velocity: float
    mouth_acceleration: float
    head_velocity: float
    head_acceleration: float
    borders: int


@dataclass(frozen=True, slots=True)
class Drift:
    """A long stream minute by minute, and the slope of a line through the minutes."""

    pose_deg: list[tuple[float, float, float]]  # mean pitch, yaw, roll of each minute
    lips: list[tuple[float, float]]  # mean gap and width of each minute, in eye distances
    pose_deg_per_minute: tuple[float, float, float]
    lips_per_minute: tuple[float, float]


def border_ratios(motion: Motion, hop_frames: int) -> BorderRatios:
    """Ratios of one stream; NaN where a hop is too short to have an inside.

    A border lies between the last frame of a hop and the first of the next. One velocity crosses
    it, and two accelerations: those of its two frames.
    """
    mouth = motion.exp[:, list(FACE_PARTS["lite"].mouth)].reshape(len(motion), -1)
    head = np.stack([motion.pitch, motion.yaw, motion.roll], 1)
    into = np.arange(1, len(motion)) % hop_frames == 0  # velocity k leads from frame k to k + 1
    around = np.isin(np.arange(1, len(motion) - 1) % hop_frames, (0, hop_frames - 1))
    return BorderRatios(
        mouth_velocity=_ratio(np.diff(mouth, axis=0), into),
        mouth_acceleration=_ratio(np.diff(mouth, 2, axis=0), around),
        head_velocity=_ratio(np.diff(head, axis=0), into),
        head_acceleration=_ratio(np.diff(head, 2, axis=0), around),
        borders=int(into.sum()),
    )


def drift(motion: Motion) -> Drift:
    """Means of every whole minute. Raises ValueError below two minutes."""
    minutes = len(motion) // FRAMES_PER_MINUTE
    if minutes < 2:
        raise ValueError(f"{len(motion)} frames are not two minutes")
    pose = _by_minute(np.stack([motion.pitch, motion.yaw, motion.roll], 1), minutes)
    lips = _by_minute(generated_lips(motion), minutes)
    return Drift(
        [(float(p), float(y), float(r)) for p, y, r in pose],
        [(float(gap), float(width)) for gap, width in lips],
        (_slope(pose[:, 0]), _slope(pose[:, 1]), _slope(pose[:, 2])),
        (_slope(lips[:, 0]), _slope(lips[:, 1])),
    )


def _ratio(steps: FloatArray, at_border: AnyArray) -> float:
    size = np.linalg.norm(steps, axis=1)
    inside = size[~at_border]
    if not at_border.any() or not len(inside) or inside.mean() < 1e-9:
        return float("nan")
    return float(size[at_border].mean() / inside.mean())


def _by_minute(values: FloatArray, minutes: int) -> AnyArray:
    whole = values[: minutes * FRAMES_PER_MINUTE].astype(np.float64)
    means: AnyArray = whole.reshape(minutes, FRAMES_PER_MINUTE, -1).mean(1)
    return means


def _slope(means: AnyArray) -> float:
    return float(np.polyfit(np.arange(len(means)), means, 1)[0])
