"""The statistics that turn JoyVASA's numbers into LivePortrait's motion: ``motion_template.pkl``.

Expressions are less their mean and over their spread; pose lies between the smallest (0) and the
largest (1) value of the training data. Source: ``gen_motion_sequence`` of the official
``src/live_portrait_wmg_wrapper.py``.
"""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from dit.published.joyvasa import MOTION_CHANNELS
from models.errors import MissingWeightsError, TemplateError, WeightsError
from models.motion import Motion
from models.pickle_reader import read_pickle
from models.shapes import KEYPOINTS, AnyArray, FloatArray

EXPRESSION_CHANNELS = 3 * KEYPOINTS
POSE_SMOOTHING = np.float32(0.01)  # share of a new frame; the official default, on
_POSE_SIZES = {"scale": 1, "t": 3, "pitch": 1, "yaw": 1, "roll": 1}  # in the vector's order


@dataclass(frozen=True, slots=True)
class JoyvasaTemplate:
    """Raises ValueError when the arrays are not finite or have other sizes."""

    mean_exp: FloatArray  # [63]
    std_exp: FloatArray  # [63]
    lowest_pose: FloatArray  # [7] of scale, t (3), pitch, yaw, roll
    highest_pose: FloatArray  # [7]

    def __post_init__(self) -> None:
        for name, size in zip(
            (f.name for f in fields(self)),
            (EXPRESSION_CHANNELS, EXPRESSION_CHANNELS, 7, 7),
            strict=True,
        ):
            values = getattr(self, name)
            if values.shape != (size,) or not np.isfinite(values).all():
                raise ValueError(f"{name} is not {size} finite numbers")

    @property
    def mean_expression(self) -> FloatArray:
        """The usual face [K, 3], which is the middle of all movement."""
        return self.mean_exp.reshape(KEYPOINTS, 3)

    def motion(self, vectors: FloatArray) -> Motion:
        """Network frames [T, 73] -> motion [T] as the motion extractor would measure it; degrees
        and LivePortrait's units. The last 3 channels mean nothing at inference."""
        if vectors.ndim != 2 or vectors.shape[1] != MOTION_CHANNELS:
            raise ValueError(f"vectors are [T, {MOTION_CHANNELS}], not {vectors.shape}")
        exp = vectors[:, :EXPRESSION_CHANNELS] * self.std_exp + self.mean_exp
        share = vectors[:, EXPRESSION_CHANNELS : EXPRESSION_CHANNELS + 7]
        pose = share * (self.highest_pose - self.lowest_pose) + self.lowest_pose
        return pose_and_expression(pose.astype(np.float32), exp.reshape(-1, KEYPOINTS, 3))


def pose_and_expression(pose: FloatArray, exp: AnyArray) -> Motion:
    """Pose [T, 7] (scale, t, pitch, yaw, roll) and expression [T, K, 3] -> Motion."""
    scale, t, pitch, yaw, roll = pose[:, 0], pose[:, 1:4], pose[:, 4], pose[:, 5], pose[:, 6]
    return Motion(pitch, yaw, roll, t, scale, exp.astype(np.float32))


def pose_of(motion: Motion) -> FloatArray:
    """Inverse of ``pose_and_expression`` for the pose: [T, 7]."""
    columns = [motion.scale[:, None], motion.t]
    columns += [angle[:, None] for angle in (motion.pitch, motion.yaw, motion.roll)]
    return np.concatenate(columns, 1).astype(np.float32)


def with_smooth_pose(motion: Motion, before: Motion | None) -> Motion:
    """The head follows slowly (``smooth_`` with "ema"); ``before``: the last frame (T = 1) that
    came out of this, None for a voice's first."""
    if not len(motion):
        return motion
    pose = pose_of(motion)
    last = pose[0] if before is None else pose_of(before)[0]
    for frame in pose:
        frame[:] = last = POSE_SMOOTHING * frame + (1 - POSE_SMOOTHING) * last
    return pose_and_expression(pose, motion.exp)


def load_template(path: Path) -> JoyvasaTemplate:
    """Read ``motion_template.pkl`` without running it.

    Raises MissingWeightsError, and WeightsError for what is no such template.
    """
    if not path.is_file():
        raise MissingWeightsError(f"{path} is missing; run: python -m models fetch joyvasa")
    try:
        content = read_pickle(path.read_bytes())
        if not isinstance(content, dict):
            raise ValueError(f"it holds a {type(content).__name__}")

        def pose(bound: str) -> FloatArray:
            return np.concatenate(
                [_numbers(content, f"{bound}_{name}", size) for name, size in _POSE_SIZES.items()]
            )

        return JoyvasaTemplate(
            _numbers(content, "mean_exp", EXPRESSION_CHANNELS),
            _numbers(content, "std_exp", EXPRESSION_CHANNELS),
            pose("min"),
            pose("max"),
        )
    except (TemplateError, ValueError, TypeError, KeyError) as error:
        raise WeightsError(f"{path} is no motion template of JoyVASA: {error}") from error


def _numbers(content: dict[str, Any], key: str, size: int) -> FloatArray:
    if key not in content:
        raise KeyError(f"no {key}")
    values = np.asarray(content[key], np.float32).reshape(-1)
    if len(values) != size:
        raise ValueError(f"{key} holds {len(values)} numbers, not {size}")
    return values
