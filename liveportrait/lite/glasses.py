"""Glasses, found by their bridge on the nose: the rim must not bend when the eye blinks."""

from dataclasses import dataclass

import numpy as np

from liveportrait.lite.mesh import LOWER_LIDS, UPPER_LIDS
from models.shapes import AnyArray, FloatArray, Image

_BRIDGE_DIP = 0.38  # measured: 0.46 and 0.59 with glasses, up to 0.29 without
_RIM_DIP = 0.20
_HOLD_PX = 7  # around the rim
_RIM_PX = 13  # rims are thinner than this at frame size


@dataclass(frozen=True, slots=True)
class Glasses:
    """Where a portrait's rim is."""

    rim: AnyArray  # [H, W] uint8, over the texture: 255 on what is surely connected to the bridge
    hold: FloatArray  # [L, 1] 0..1: how far the rim keeps a mesh point from following expressions


def find_glasses(texture: Image, points: FloatArray, px: float = 1.0) -> Glasses | None:
    """Glasses of a face [L, 3] (pixels of ``texture``), or None where nothing lies on the nose.

    ``px``: how many of its pixels are as wide as one at frame size.
    """
    if bridge_dip(texture, points) < _BRIDGE_DIP:
        return None
    rim = _rim_mask(texture, points, px)
    return Glasses(rim, _held_points(rim, points, px))


def _held_points(rim: AnyArray, points: FloatArray, px: float) -> FloatArray:
    """[L, 1]: 1 for mesh points on the rim or beside it, 0 away from it and on the lids, whose
    blinks it does not hinder."""
    import cv2

    reach = 2 * round(_HOLD_PX * px) + 1
    near = cv2.dilate((rim > 128).astype(np.float32), np.ones((reach, reach), np.uint8))
    near = cv2.GaussianBlur(near, (0, 0), 0.5 * _HOLD_PX * px)
    x, y = np.round(points[:, :2]).astype(int).T
    hold = near[np.clip(y, 0, len(rim) - 1), np.clip(x, 0, rim.shape[1] - 1)].copy()
    hold[np.unique([*UPPER_LIDS.ravel(), *LOWER_LIDS.ravel(), *range(468, 478)])] = 0.0
    held: FloatArray = hold[:, None].astype(np.float32)
    return held


def bridge_dip(texture: Image, points: FloatArray) -> float:
    """How much darker something thin across the bridge of the nose is than the skin around it.

    Looks down a band from between the brows to the nose for a dip in brightness that a closing
    (dilation, then erosion) would fill: 0 none, 1 black.
    """
    import cv2

    start, end = points[9, :2], points[5, :2]
    length = max(int(np.linalg.norm(end - start)), 8)
    down = np.linspace(0, 1, length)[:, None, None]
    aside = np.linspace(-0.18, 0.18, 9)[None, :, None]
    spots = start + (end - start) * down + (points[362, :2] - points[133, :2]) * aside
    spots = spots.astype(np.float32)
    darkest = texture.min(-1).astype(np.float32)
    band = cv2.remap(darkest, spots[..., 0], spots[..., 1], cv2.INTER_LINEAR)
    profile = np.median(band, axis=1)[:, None].astype(np.float32)  # [length, 1]
    window = np.ones((max(5, length // 5) | 1, 1), np.uint8)
    filled = cv2.morphologyEx(profile, cv2.MORPH_CLOSE, window)
    return float((1 - profile / np.maximum(filled, 1.0)).max())


def _rim_mask(texture: Image, points: FloatArray, px: float) -> AnyArray:
    """Thin dark things that hang together with the bridge, the eyes themselves left out."""
    import cv2

    darkest = texture.min(-1)
    widest = 2 * round(_RIM_PX * px / 2) + 1
    ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (widest, widest))
    filled = cv2.morphologyEx(darkest, cv2.MORPH_CLOSE, ellipse).astype(np.float32)
    thin = ((1 - darkest / np.maximum(filled, 1.0)) > _RIM_DIP).astype(np.uint8)
    for eye in range(2):
        lids = np.concatenate([UPPER_LIDS[eye], LOWER_LIDS[eye, -2:0:-1]])
        cv2.fillPoly(thin, [np.round(points[lids, :2]).astype(np.int32)], 0)
    _, parts = cv2.connectedComponents(thin)
    nose = (points[9, :2] + points[195, :2]) / 2
    half = np.abs(points[195, :2] - points[9, :2])[1] / 2
    left, top = np.round(nose - half).astype(int)
    right, bottom = np.round(nose + half).astype(int)
    touching = np.setdiff1d(np.unique(parts[top:bottom, left:right]), [0])
    rim = (np.isin(parts, touching) * 255).astype(np.uint8)
    rim = cv2.morphologyEx(rim, cv2.MORPH_CLOSE, np.ones((3, 2 * round(10 * px) + 1), np.uint8))
    return cv2.GaussianBlur(cv2.dilate(rim, np.ones((3, 3), np.uint8)), (0, 0), 0.8)  # type: ignore[no-any-return]
