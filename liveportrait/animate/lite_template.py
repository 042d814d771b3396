"""A motion template for the lite engine: head pose, and lips and lids by their ratios.

A template's expression belongs to LivePortrait's implicit keypoints, which say nothing to explicit
face points. Its head pose does, and so do the ratios that newer human templates carry.
"""

import numpy as np

from liveportrait.animation.motion_template import MotionTemplate
from liveportrait.lite.sheet import lids, mouth
from models.errors import ConfigError
from models.face_keypoints import FACE_HEIGHT_UNITS, angles_of
from models.motion import Motion
from models.shapes import KEYPOINTS, FloatArray

_UNITS = FACE_HEIGHT_UNITS * 2.3 / 2.0  # the official crop is 2 wide and 2.3 times the face
_INNER_MOUTH_WIDTH = 60.0  # canonical units; a lip ratio is the lips' gap over it
_OPEN_EYES_QUANTILE = 0.8


def template_motion(
    template: MotionTemplate, *, relative: bool, region: str, own_pose: Motion
) -> Motion:
    """T frames of relative lite motion; head pose counted from the template's first frame, or as
    it is (``relative`` False; ``own_pose`` is the portrait's, T == 1).

    Raises ConfigError when the region needs lips or eyes and the template has no ratios.
    """
    lips, eyes = template.lip_ratios, template.eye_ratios
    if region != "pose" and (lips is None or eyes is None):
        raise ConfigError(
            "this motion template holds LivePortrait's implicit keypoints and no ratios of lips "
            "and eyes: the lite engine can take the head pose alone from it (--region pose); "
            "--engine liveportrait takes it whole"
        )
    exp = np.zeros((len(template), KEYPOINTS, 3), np.float32)
    if region != "pose" and lips is not None and eyes is not None:
        _write_expression(exp, lips[:, 0], eyes.mean(1))
    first = template[:1]
    if relative:
        turn = template.rotation @ first.rotation.transpose(0, 2, 1)
        pitch, yaw, roll = angles_of(turn)
    else:
        pitch, yaw, roll = angles_of(template.rotation)
        pitch, yaw, roll = pitch - own_pose.pitch, yaw - own_pose.yaw, roll - own_pose.roll
    shift = (template.t - first.t) * np.float32(_UNITS)
    shift[:, 2] = 0.0
    scale = template.scale / first.scale
    return Motion(pitch, yaw, roll, shift.astype(np.float32), scale.astype(np.float32), exp)


def _write_expression(exp: FloatArray, lip_ratio: FloatArray, eye_ratio: FloatArray) -> None:
    open_eyes = max(float(np.quantile(eye_ratio, _OPEN_EYES_QUANTILE)), 1e-3)
    for frame, (lip, eye) in enumerate(zip(lip_ratio, eye_ratio, strict=True)):
        mouth(float(lip) * _INNER_MOUTH_WIDTH)(exp[frame])
        lids(float(np.clip(1.0 - eye / open_eyes, 0.0, 1.0)))(exp[frame])
