"""Small brushes: soft polygons, dark lines, blending."""

import numpy as np

from models.shapes import AnyArray, FloatArray


def soft_polygon(outline: FloatArray, left: int, top: int, right: int, bottom: int) -> FloatArray:
    """Coverage 0..1 [bottom - top, right - left] of a polygon [n, 2] in frame pixels."""
    import cv2

    mask = np.zeros((bottom - top, right - left), np.uint8)
    fixed = np.round((outline - np.array([left, top])) * 16).astype(np.int32)
    cv2.fillPoly(mask, [fixed], 255, cv2.LINE_AA, 4)
    return cv2.GaussianBlur(mask, (3, 3), 0).astype(np.float32) / 255.0  # type: ignore[no-any-return]


def darken_line(frame: AnyArray, line: FloatArray, darkness: float, width_px: float) -> None:
    """Draw a soft dark line [n, 2] into ``frame`` in place; it fades towards both ends."""
    import cv2

    left, top = np.maximum(np.floor(line.min(0)).astype(int) - 5, 0)
    right, bottom = np.minimum(
        np.ceil(line.max(0)).astype(int) + 6, [frame.shape[1], frame.shape[0]]
    )
    if right - left < 4 or bottom - top < 4:
        return
    ink = np.zeros((bottom - top, right - left), np.uint8)
    fixed = np.round((line - np.array([left, top])) * 16).astype(np.int32)
    cv2.polylines(ink, [fixed], False, 255, 1, cv2.LINE_AA, 4)
    soft = np.minimum(cv2.GaussianBlur(ink, (0, 0), width_px).astype(np.float32) / 130.0, 1.0)
    across = np.linspace(-1, 1, right - left)
    shade = 1.0 - darkness * soft * np.sqrt(1.0 - across**2)
    patch = frame[top:bottom, left:right]
    patch[:] = (patch * shade[..., None]).astype(np.uint8)


def blend(patch: AnyArray, layer: AnyArray, share: FloatArray) -> None:
    """``patch`` [h, w, 3] in place: ``layer`` where ``share`` [h, w] is 1."""
    mixed = patch + (layer.astype(np.float32) - patch) * share[..., None]
    patch[:] = np.clip(mixed + 0.5, 0, 255).astype(np.uint8)
