"""Motion whose lips are absolute: JoyVASA's way of putting a generated face on a portrait.

The head turns, shifts and grows by as much as the generated one since its first frame; the face
changes by as much as the generated one; the lips do as the generated ones do, whatever the
photograph's do. Source: ``execute`` of JoyVASA's ``src/live_portrait_wmg_pipeline.py``.
"""

import numpy as np

from liveportrait.animation.regions import REGION_MASKS
from models.face_keypoints import angles_of
from models.motion import Motion, rotation_matrix


def with_absolute_lips(own: Motion, generated: Motion) -> Motion:
    """A portrait's own motion (T == 1) and a generated one [T] -> absolute motion [T]."""
    turn = rotation_matrix(generated.pitch, generated.yaw, generated.roll)
    pitch, yaw, roll = angles_of(turn @ rotation_matrix(own.pitch, own.yaw, own.roll))
    return Motion(
        pitch,
        yaw,
        roll,
        own.t + generated.t,
        own.scale * generated.scale,
        np.where(REGION_MASKS["lip"], generated.exp, own.exp + generated.exp),
    )
