"""Generated, relative motion -> absolute motion for one portrait, kept within what it can take."""

import numpy as np

from models.face_keypoints import absolute_from_relative
from models.motion import Motion, rotation_matrix
from models.shapes import KEYPOINTS, FloatArray

# about the neck, low and behind: turning here moves hair, neck and shoulders believably
NECK = np.array([0.0, 120.0, 60.0], np.float32)  # canonical units
_YAW_LIMIT = 18.0
# a cheek that the photograph hides cannot be shown: how far it may be uncovered, by own yaw
_OWN_YAW, _UNCOVERING_LIMIT = (5.0, 14.0, 35.0), (18.0, 8.0, 4.0)
_PITCH_LIMIT, _ROLL_LIMIT = 13.0, 15.0
_SHIFT_LIMIT = np.array([26.0, 22.0, 14.0], np.float32)  # off the turn about the neck
_SCALE_LIMIT = 0.08
_LIPS, _CHIN, _LIDS = slice(0, 10), slice(10, 14), slice(14, 18)
_EXPRESSION_LIMIT = np.full(KEYPOINTS, 16.0, np.float32)
_EXPRESSION_LIMIT[_LIPS] = 34.0
_EXPRESSION_LIMIT[_CHIN] = 34.0
_EXPRESSION_LIMIT[20] = 6.0


def soft_limit(value: FloatArray, limit: FloatArray | float) -> FloatArray:
    """``value`` itself up to 0.6 of the limit, then bending towards the limit, never beyond."""
    knee = 0.6 * np.asarray(limit, np.float32)
    room = np.asarray(limit, np.float32) - knee
    beyond = np.maximum(np.abs(value) - knee, 0.0)
    limited = np.minimum(np.abs(value), knee) + room * np.tanh(beyond / room)
    signed: FloatArray = (np.sign(value) * limited).astype(np.float32)
    return signed


def neck_shift(pitch: FloatArray, yaw: FloatArray, roll: FloatArray) -> FloatArray:
    """Shift [T, 3] in canonical units that a turn about the neck gives the head's origin."""
    return (NECK - NECK @ rotation_matrix(pitch, yaw, roll)).astype(np.float32)


def turned_about_neck(motion: Motion) -> Motion:
    """Relative motion whose shift is replaced by that of its turn about the neck."""
    shift = neck_shift(motion.pitch, motion.yaw, motion.roll)
    return Motion(motion.pitch, motion.yaw, motion.roll, shift, motion.scale, motion.exp)


def drive_portrait(source: Motion, generated: Motion, mouth_ratio: float) -> Motion:
    """Add ``generated`` (relative, T frames) to the portrait's own pose ``source`` (T == 1).

    mouth_ratio: the portrait's mouth width over the usual one; lip motion grows with it. Turning
    so that the cheek which a three-quarter view hides would come out is limited more. The lip gap
    is absolute.
    """
    own_yaw = float(source.yaw[0])
    narrow = np.interp(abs(own_yaw), _OWN_YAW, _UNCOVERING_LIMIT)
    uncovering = generated.yaw * np.sign(own_yaw) < 0
    pitch = soft_limit(generated.pitch, _PITCH_LIMIT)
    yaw = soft_limit(generated.yaw, np.where(uncovering, narrow, _YAW_LIMIT))
    roll = soft_limit(generated.roll, _ROLL_LIMIT)
    neck = neck_shift(pitch, yaw, roll)
    shift = neck + soft_limit(generated.t - neck, _SHIFT_LIMIT)
    scale = 1.0 + soft_limit(generated.scale - 1.0, _SCALE_LIMIT)
    exp = generated.exp.copy()
    exp[:, _LIPS] *= float(np.clip(mouth_ratio, 0.8, 1.25))
    length = np.linalg.norm(exp, axis=-1)  # [T, K]
    exp *= (soft_limit(length, _EXPRESSION_LIMIT) / np.maximum(length, 1e-6))[..., None]
    return absolute_from_relative(Motion(pitch, yaw, roll, shift, scale, exp), source)
