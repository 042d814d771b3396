"""Light, symmetric smoothing of tracked motion, so that a picture does not tremble."""

import numpy as np

from models.motion import Motion
from models.shapes import FloatArray

# binomial kernels: no delay, no overshoot, and they leave a steady movement as it is
POSE_KERNEL: FloatArray = np.divide((1, 6, 15, 20, 15, 6, 1), 64, dtype=np.float32)
FACE_KERNEL: FloatArray = np.divide((1, 2, 1), 4, dtype=np.float32)  # lips and lids are quick


def smooth_tracked(motion: Motion) -> Motion:
    """Head pose through POSE_KERNEL, the expression through FACE_KERNEL; T frames stay T."""
    return Motion(
        smooth_rows(motion.pitch, POSE_KERNEL),
        smooth_rows(motion.yaw, POSE_KERNEL),
        smooth_rows(motion.roll, POSE_KERNEL),
        smooth_rows(motion.t, POSE_KERNEL),
        smooth_rows(motion.scale, POSE_KERNEL),
        smooth_rows(motion.exp, FACE_KERNEL),
    )


def smooth_rows(values: FloatArray, kernel: FloatArray) -> FloatArray:
    """``values`` [T, ...] over time; the ends are continued by point reflection, so that a movement
    neither stops nor jumps there."""
    half = len(kernel) // 2
    frames = len(values)
    if frames < 2:
        return values.copy()
    reach = np.arange(1, half + 1)
    before = 2 * values[0] - values[np.minimum(reach, frames - 1)][::-1]
    after = 2 * values[-1] - values[np.maximum(frames - 1 - reach, 0)]
    padded = np.concatenate([before, values, after])
    windows = np.lib.stride_tricks.sliding_window_view(padded, len(kernel), axis=0)
    smooth: FloatArray = (windows @ kernel).astype(np.float32)
    return smooth
