"""Raw outputs of the motion extractor -> degrees and keypoints.

Source: ``headpose_pred_to_degree`` (``src/utils/camera.py``) and ``get_kp_info``
(``src/live_portrait_wrapper.py``) of the official LivePortrait.
"""

import numpy as np

from liveportrait.animation.keypoints import KeypointInfo
from models.shapes import AnyArray, FloatArray

HEAD_POSE_BINS = 66
DEGREES_PER_BIN = 3.0
FIRST_BIN_DEGREES = -97.5


def degrees_from_bins(prediction: AnyArray) -> FloatArray:
    """Scores of 66 bins of 3 degrees [B, 66] -> the expected angle in degrees [B].

    An array with another last axis already holds degrees and comes back as it is, float32.
    """
    prediction = np.asarray(prediction)
    if prediction.ndim < 2 or prediction.shape[-1] != HEAD_POSE_BINS:
        return prediction.astype(np.float32)
    scores = prediction.astype(np.float64)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    degrees = weights @ np.arange(HEAD_POSE_BINS) * DEGREES_PER_BIN + FIRST_BIN_DEGREES
    return np.asarray(degrees, np.float32)


def refine_heads(
    *,
    pitch: AnyArray,
    yaw: AnyArray,
    roll: AnyArray,
    t: AnyArray,
    exp: AnyArray,
    scale: AnyArray,
    kp: AnyArray,
) -> KeypointInfo:
    """The seven raw heads of B pictures -> KeypointInfo of B frames.

    pitch, yaw, roll: [B, 66] scores (or degrees [B, 1]); t [B, 3]; exp and kp [B, K * 3] or
    [B, K, 3]; scale [B, 1]. Raises ValueError on other shapes.
    """
    frames = np.asarray(kp).shape[0]

    def column(values: AnyArray) -> FloatArray:
        return np.asarray(values, np.float32).reshape(frames)

    return KeypointInfo(
        pitch=column(degrees_from_bins(pitch)),
        yaw=column(degrees_from_bins(yaw)),
        roll=column(degrees_from_bins(roll)),
        t=np.asarray(t, np.float32).reshape(frames, 3),
        exp=np.asarray(exp, np.float32).reshape(frames, -1, 3),
        scale=column(scale),
        kp=np.asarray(kp, np.float32).reshape(frames, -1, 3),
    )
