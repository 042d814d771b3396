"""The last steps of "Algorithm 1": stitching, eye and lip retargeting, strength.

Arrays of keypoints are [T, K, 3]; those of a photograph may have one frame for all T.
Source: ``execute`` in the official ``src/live_portrait_pipeline.py``.
"""

import numpy as np

from liveportrait.animation.motion_template import MotionTemplate
from liveportrait.animation.options import AnimationOptions
from liveportrait.animation.ratios import (
    combined_eye_ratios,
    combined_lip_ratios,
    eye_ratios,
    lip_ratios,
)
from liveportrait.animation.retargeters import Retargeters
from liveportrait.animation.source_motion import SourceMotion
from models.errors import ConfigError
from models.shapes import FloatArray


def source_delta(
    source: SourceMotion, x_s: FloatArray, options: AnimationOptions, retargeters: Retargeters
) -> FloatArray | None:
    """What the source's own lips and eyes get before it moves at all, or None.

    Lips that are open are shut (``normalize_lip``, relative mode only); the eyes of a video are
    opened as in its first frame (``source_video_eye_retargeting``).
    """
    deltas: list[FloatArray] = []
    if options.normalize_lip and options.relative:
        landmarks = _landmarks(source, "normalize_lip")
        delta = retargeters.lip_delta(x_s, combined_lip_ratios(landmarks, 0.0))
        is_open = lip_ratios(landmarks) >= options.lip_normalize_threshold  # [T, 1]
        deltas.append(np.where(is_open[:, :, None], delta, np.float32(0)))
    if options.source_video_eye_retargeting and source.is_video:
        landmarks = _landmarks(source, "source_video_eye_retargeting")
        wanted = float(eye_ratios(landmarks[:1]).mean())
        if wanted < options.source_video_eye_threshold:
            wanted = options.source_video_eye_fallback
        deltas.append(retargeters.eye_delta(x_s, combined_eye_ratios(landmarks, wanted)))
    return sum(deltas[1:], deltas[0]) if deltas else None


def stitched(
    x_s: FloatArray,
    x_d: FloatArray,
    delta: FloatArray | None,
    options: AnimationOptions,
    retargeters: Retargeters,
) -> FloatArray:
    """Driven keypoints, stitched if asked for, and then the source's own ``delta``."""
    if options.stitching:
        x_d = retargeters.stitch(x_s, x_d)
    return x_d if delta is None else x_d + delta


def retargeted(
    source: SourceMotion,
    motion: MotionTemplate,
    x_s: FloatArray,
    x_d: FloatArray,
    options: AnimationOptions,
    retargeters: Retargeters,
) -> FloatArray:
    """Eyes and lips as open as the driver's, by the retargeting networks.

    In relative mode they start from the source's keypoints: the driver's other motion is dropped.
    """
    moved = np.broadcast_to(x_s, x_d.shape) if options.relative else x_d
    if options.eye_retargeting:
        landmarks = _landmarks(source, "eye_retargeting")
        # the driver's left eye alone is what the official code looks at
        wanted = _ratios(motion.eye_ratios, "eye_retargeting")[:, 0]
        moved = moved + retargeters.eye_delta(x_s, combined_eye_ratios(landmarks, wanted))
    if options.lip_retargeting:
        landmarks = _landmarks(source, "lip_retargeting")
        wanted = _ratios(motion.lip_ratios, "lip_retargeting")[:, 0]
        moved = moved + retargeters.lip_delta(x_s, combined_lip_ratios(landmarks, wanted))
    return retargeters.stitch(x_s, moved) if options.stitching else moved


def strengthened(x_s: FloatArray, x_d: FloatArray, multiplier: float) -> FloatArray:
    """Driven keypoints moved away from the source's by ``multiplier``; the very last step."""
    return np.asarray(x_s + (x_d - x_s) * np.float32(multiplier), np.float32)


def _landmarks(source: SourceMotion, option: str) -> FloatArray:
    if source.landmarks is None:
        raise ConfigError(f"{option} needs the source's 203 face landmarks, and there are none")
    return source.landmarks


def _ratios(ratios: FloatArray | None, option: str) -> FloatArray:
    if ratios is None:
        raise ConfigError(
            f"{option} needs a motion template with eye and lip ratios; this one has none "
            "(templates made for animals do not)"
        )
    return ratios
