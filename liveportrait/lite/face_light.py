"""The light on a face, as its skin, its eye whites and therefore its teeth show it."""

import numpy as np

from liveportrait.lite.mesh import LOWER_LIDS, UPPER_LIDS
from models.face_keypoints import LOWER_INNER_LIP, LOWER_OUTER_LIP
from models.shapes import FloatArray, Image

_CHEEKS = (50, 280)
_PATCH_PX = 6
_IVORY = np.array([1.04, 1.0, 0.92], np.float32)


def _cheek_pixels(rgb: Image, points: FloatArray) -> FloatArray:
    low, high = _PATCH_PX, np.array(rgb.shape[1::-1]) - _PATCH_PX - 1
    spots = np.clip(np.round(points[list(_CHEEKS), :2]).astype(int), low, high)
    patches = [rgb[y - low : y + low + 1, x - low : x + low + 1].reshape(-1, 3) for x, y in spots]
    return np.concatenate(patches).astype(np.float32)


def skin_colour(rgb: Image, points: FloatArray) -> FloatArray:
    """Median colour [3] of both cheeks of a face [L, 3] in ``rgb``'s pixels."""
    colour: FloatArray = np.median(_cheek_pixels(rgb, points), axis=0).astype(np.float32)
    return colour


def lip_colour(rgb: Image, points: FloatArray) -> FloatArray:
    """Median colour [3] of the middle of the lower lip of a face [L, 3] in ``rgb``'s pixels."""
    import cv2

    lip = np.concatenate([LOWER_INNER_LIP[3:-3], LOWER_OUTER_LIP[-4:2:-1]])
    mask = np.zeros(rgb.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round(points[lip, :2]).astype(np.int32)], 1)
    colour: FloatArray = np.median(rgb[mask > 0], axis=0).astype(np.float32)
    return colour


def teeth_light(rgb: Image, points: FloatArray) -> FloatArray:
    """Colour [3] of bright teeth in this portrait's light, told by its eye whites and cheeks."""
    import cv2

    whites = np.zeros(rgb.shape[:2], np.uint8)
    for eye, iris in enumerate((468, 473)):
        lids = np.concatenate([UPPER_LIDS[eye], LOWER_LIDS[eye, -2:0:-1]])
        cv2.fillPoly(whites, [np.round(points[lids, :2]).astype(np.int32)], 1)
        radius = np.linalg.norm(points[iris + 1 : iris + 5, :2] - points[iris, :2], axis=1).mean()
        centre = np.round(points[iris, :2]).astype(int).tolist()
        cv2.circle(whites, centre, int(np.ceil(1.1 * radius)), 0, -1)
    white = rgb[whites > 0].reshape(-1, 3).astype(np.float32)
    skin = _cheek_pixels(rgb, points)
    cheek = float(np.quantile(skin.mean(1), 0.75))
    if len(white) < 10:
        return _IVORY * cheek
    brightness = white.mean(1)
    bright = white[brightness >= np.quantile(brightness, 0.8)].mean(0)
    level = float(np.clip(0.5 * bright.mean() + 0.5 * cheek, 70, 225))
    tint = 0.6 * bright / bright.mean() + 0.4 * skin.mean(0) / skin.mean()
    colour: FloatArray = (level * tint.clip(0.85, 1.15) * _IVORY).astype(np.float32)
    return colour
