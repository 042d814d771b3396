"""A mouth painted from the person's own teeth, cut out of a picture with the mouth wide open."""

from dataclasses import replace

import numpy as np

from liveportrait.lite.mouth import EDGE_BELOW_LIPS_UNITS, MouthPaint
from liveportrait.lite.mouth_cut import cut_mouth, upper_edge
from models.face_keypoints import landmarks_to_motion
from models.shapes import AnyArray, FloatArray, Image


def own_mouth(paint: MouthPaint, rgb: Image, points: FloatArray) -> MouthPaint:
    """``paint``, a portrait's, with the layers of the same person's open mouth in ``rgb``, whose
    mesh is ``points`` [L, 3]. The portrait's lips must be shut: its teeth are hidden."""
    canonical = landmarks_to_motion(points[None])[1]
    layers = cut_mouth(rgb, points, canonical)
    below = upper_edge(rgb, points, canonical)[1] - canonical[13, 1]
    rest = paint.upper_at[1] - EDGE_BELOW_LIPS_UNITS
    return replace(
        paint,
        upper=layers.upper,
        lower=layers.lower,
        cavity=layers.cavity,
        upper_at=np.array([paint.upper_at[0], rest + below], np.float32),
    )


def in_light(paint: MouthPaint, gain: FloatArray) -> MouthPaint:
    """The same mouth under gains [3] for red, green and blue."""

    def toned(layer: AnyArray) -> AnyArray:
        changed = layer.copy()
        changed[..., :3] = np.clip(layer[..., :3] * gain, 0, 255).astype(np.uint8)
        return changed

    return replace(
        paint, upper=toned(paint.upper), lower=toned(paint.lower), cavity=toned(paint.cavity)
    )
