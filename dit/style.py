"""A speaker's manner as one vector: how far each channel strays, and how quickly.

Statistics of a reference clip rather than a network over it: minutes of clips cannot teach an
encoder, and statistics mean the same for people never seen.
"""

import numpy as np

from dit.layout import MOTION_CHANNELS, MotionLayout
from models.motion import Motion
from models.shapes import FloatArray

STYLE_CHANNELS = 3 * MOTION_CHANNELS
_FLOOR = 0.05  # of the layout's spread: what lies below is tracking noise


def style_of(vectors: FloatArray) -> FloatArray:
    """Normalised motion [T, M] -> [3 M]: means, log spreads, log spreads of the frame's change.

    Raises ValueError when there is less than a second of it.
    """
    if len(vectors) < 25:
        raise ValueError(f"a style takes at least 25 frames, not {len(vectors)}")
    spread = np.log(vectors.std(0) + _FLOOR)
    change = np.log(np.diff(vectors, axis=0).std(0) + _FLOOR)
    return np.concatenate([vectors.mean(0), spread, change]).astype(np.float32)


def style_of_motion(motion: Motion, layout: MotionLayout) -> FloatArray:
    """Of a reference clip's relative motion; raises as ``style_of``."""
    return style_of(layout.normalise(motion))
