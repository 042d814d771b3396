"""Motion of explicit face points (the lite engine's) for a portrait of the implicit engine.

There is no linear map between the two sets of keypoints, but LivePortrait's retargeting networks
take what the explicit points tell: how open lips and eyes are. So head pose is carried over as it
is (both engines use the same angles), the gap of the lips and the closure of the lids become the
ratios that those networks were trained on. An approximation: the width and rounding of the mouth,
brows and gaze are lost. Motion made for the implicit layout needs none of this.
"""

import numpy as np

from liveportrait.animation.ratios import combined_eye_ratios, combined_lip_ratios, eye_ratios
from liveportrait.animation.retargeters import Retargeters
from liveportrait.neural.portrait import NeuralPortrait
from models.face_keypoints import FACE_HEIGHT_UNITS, LIPS
from models.motion import Motion
from models.shapes import FloatArray

# places among the explicit keypoints (models/face_keypoints.py)
_CORNERS = (LIPS.index(61), LIPS.index(291))
_UPPER_LIP, _LOWER_LIP = LIPS.index(13), LIPS.index(14)
_UPPER_LIDS, _LOWER_LIDS = [14, 16], [15, 17]

# canonical units: what is usual for the people that the explicit points were measured on
_INNER_MOUTH_WIDTH = 60.0
_LID_GAP = 12.7
_SHUT_AT = 0.32  # trackers call an eye still so far open when it is shut
WIDEST_LIPS = 0.8  # ratio, the end of the official slider
WIDEST_EYES = 1.2  # of the photograph's own ratio
# the crop's side is 2 units of the implicit keypoints, and 2.3 times the face
_UNIT = 2.0 / 2.3 / FACE_HEIGHT_UNITS


def implicit_motion(
    portrait: NeuralPortrait, generated: Motion, retargeters: Retargeters
) -> Motion:
    """Relative explicit motion [T] -> relative implicit motion [T] of this portrait."""
    delta = _lip_delta(portrait, generated.exp, retargeters)
    delta += _eye_delta(portrait, generated.exp, retargeters)
    shift = generated.t * np.float32(_UNIT)
    shift[:, 2] = 0.0  # the scale tells the distance
    return Motion(
        generated.pitch,
        generated.yaw,
        generated.roll,
        shift,
        generated.scale,
        # deltas are of keypoints in the picture, after the scale
        (delta / portrait.source.scale[:, None, None]).astype(np.float32),
    )


def lip_ratio(exp: FloatArray) -> FloatArray:
    """Wanted height over width of the inner lips [T] of explicit expressions [T, K, 3]."""
    gap = exp[:, _LOWER_LIP, 1] - exp[:, _UPPER_LIP, 1]
    right, left = _CORNERS
    width = _INNER_MOUTH_WIDTH + exp[:, left, 0] - exp[:, right, 0]
    ratio = np.maximum(gap, 0.0) / np.maximum(width, 0.5 * _INNER_MOUTH_WIDTH)
    return np.asarray(np.minimum(ratio, WIDEST_LIPS), np.float32)


def eyes_open(exp: FloatArray) -> FloatArray:
    """How far the eyes are open [T], 1 as at rest, 0 shut, of explicit expressions [T, K, 3]."""
    change = (exp[:, _LOWER_LIDS, 1] - exp[:, _UPPER_LIDS, 1]).mean(1)
    openness = (1.0 + change / _LID_GAP - _SHUT_AT) / (1.0 - _SHUT_AT)
    return np.asarray(np.clip(openness, 0.0, WIDEST_EYES), np.float32)


def _lip_delta(portrait: NeuralPortrait, exp: FloatArray, retargeters: Retargeters) -> FloatArray:
    """Lips as open as asked, whatever the photograph's do: [T, K, 3]."""
    ratios = combined_lip_ratios(portrait.landmarks, lip_ratio(exp))
    return retargeters.lip_delta(portrait.x_s, ratios).copy()


def _eye_delta(portrait: NeuralPortrait, exp: FloatArray, retargeters: Retargeters) -> FloatArray:
    """Eyes open by a share of the photograph's own openness, at which nothing moves: [T, K, 3]."""
    own = float(eye_ratios(portrait.landmarks).mean())
    wanted = np.append(own * eyes_open(exp), own)
    ratios = combined_eye_ratios(portrait.landmarks, wanted)
    delta = retargeters.eye_delta(portrait.x_s, ratios)
    return np.asarray(delta[:-1] - delta[-1:], np.float32)
