"""How motion made for LivePortrait's own keypoints is shown: lips as they are, the rest as change.

What a network makes is somebody's motion, as the motion extractor would measure it. The official
JoyVASA takes its change since the first frame for head and face, but the lips as they are, so that
a mouth which the portrait holds open still shuts (``execute`` of the official
``src/live_portrait_wmg_pipeline.py``). The renderer's ``motion_layout: absolute_lips`` puts such
motion on a portrait.
"""

import numpy as np

from dit.controls import ControlLevels
from dit.idle import idle_pose
from dit.layout import FACE_PARTS
from models.face_keypoints import FACE_HEIGHT_UNITS, angles_of
from models.motion import Motion, rotation_matrix
from models.shapes import FloatArray, IntArray

LIPS, EYES = list(FACE_PARTS["liveportrait"].mouth), list(FACE_PARTS["liveportrait"].lids)
# sideways movement of these is gaze (``update_delta_new_eyeball_direction``), the rest is lids
GAZE_POINTS = [11, 15]
SMALLEST_SCALE = 0.1  # a head does not vanish
# LivePortrait's crop is 2 of its units wide and 2.3 times the face
UNIT = np.float32(2.0 / 2.3 / FACE_HEIGHT_UNITS)


def since(first: Motion, motion: Motion) -> Motion:
    """Motion [T] as change since ``first`` (T = 1), but the lips as they are."""
    turn = _rotation(motion) @ _rotation(first).transpose(0, 2, 1)
    pitch, yaw, roll = angles_of(turn)
    exp = motion.exp - first.exp
    exp[:, LIPS] = motion.exp[:, LIPS]
    t = motion.t - first.t
    t[:, 2] = 0.0  # the scale tells the distance
    scale = np.maximum(motion.scale, SMALLEST_SCALE) / np.maximum(first.scale, SMALLEST_SCALE)
    return Motion(pitch, yaw, roll, t, scale.astype(np.float32), exp)


def controlled(
    change: Motion, frames: IntArray, levels: ControlLevels, usual_face: FloatArray, seed: int
) -> Motion:
    """What ``since`` gave, as strong as asked, with breath and sway at absolute ``frames`` [T].

    usual_face: [K, 3], the expression that lips of no strength have. Expression strength is of the
    whole face; below 1, blink is how far lids move, gaze how far irises do. The network blinks when
    it likes, and moods have no points to move here.
    """
    head, expression = levels.head, levels.expression[:, None, None]
    exp = change.exp * expression
    exp[:, LIPS] += (1 - expression) * usual_face[LIPS]
    sideways = exp[:, GAZE_POINTS, 0] * levels.gaze[:, None]
    exp[:, EYES] *= np.minimum(levels.blink, 1.0)[:, None, None]
    exp[:, GAZE_POINTS, 0] = sideways
    idle = idle_pose(frames, seed)
    return Motion(
        head * (change.pitch + idle.pitch),
        head * (change.yaw + idle.yaw),
        head * (change.roll + idle.roll),
        head[:, None] * (change.t + UNIT * idle.t),
        ((change.scale * idle.scale) ** head).astype(np.float32),
        exp,
    )


def _rotation(motion: Motion) -> FloatArray:
    return rotation_matrix(motion.pitch, motion.yaw, motion.roll)
