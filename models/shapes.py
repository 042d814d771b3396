"""The legend of the dimension letters used in docstrings and trailing comments.

Axes are written outermost first, e.g. ``[B, T, D]``.

=====  =================================================================
B      batch: windows in training, frames of any portraits in rendering
T      frames at 25 FPS
N      samples at 16 kHz
S      frames of the encoder at 50 Hz, before they are resampled to T
D      channels of a speech feature or of a network's hidden state
M      channels of a motion vector (see ``dit/layout.py``)
K      keypoints: 21
L      face landmarks: 478 (MediaPipe's mesh with both irises)
P      phoneme classes
H, W   height and width of an image in pixels
=====  =================================================================
"""

from typing import Any

import numpy as np
import numpy.typing as npt

KEYPOINTS = 21
LANDMARKS = 478

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
PcmArray = npt.NDArray[np.int16]
Image = npt.NDArray[np.uint8]  # [H, W, 3], RGB
AnyArray = npt.NDArray[Any]
