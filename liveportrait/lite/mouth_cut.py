"""Cut the layers of a mouth out of a face whose mouth is open."""

import numpy as np

from liveportrait.lite.face_light import skin_colour
from liveportrait.lite.mouth_bank import (
    CAVITY_SIDE,
    HALF_WIDTH_UNITS,
    LAYER_WIDTH,
    LOWER_EDGE_ROW,
    LOWER_ROWS,
    PX_PER_UNIT,
    UPPER_EDGE_ROW,
    UPPER_ROWS,
    MouthLayers,
)
from models.face_keypoints import LOWER_INNER_LIP, UPPER_INNER_LIP, fit_pose
from models.shapes import AnyArray, FloatArray, Image

TEETH_BEHIND_LIPS_UNITS = 5.0
ROWS_ABOVE, _ROWS_BELOW = 100, 150  # of the flattened mouth around the upper lip's middle
_GUM = np.array([0.72, 0.50, 0.50], np.float32)
_EDGE_SLACK_ROWS = 10
_BRIGHTEST_CAVITY = 75.0  # mean of a mouth that light falls into
_SPLIT = 0.6  # of the way from upper to lower lip: no upper tooth reaches below it


def flatten_mouth(
    rgb: Image, points: FloatArray, canonical: FloatArray
) -> tuple[Image, FloatArray, FloatArray, FloatArray]:
    """The mouth seen straight on, in canonical units times PX_PER_UNIT.

    points: [L, 3] pixels of ``rgb``; canonical: [L, 3] that person's head. Returns the picture
    [rows, LAYER_WIDTH, 3], the upper and lower inner lip's row per column [LAYER_WIDTH] (NaN
    beyond the corners), and the canonical (x, y, z) of the picture's origin (column middle, row
    ROWS_ABOVE).
    """
    import cv2

    scale, turn, shift = (part[0] for part in fit_pose(points[None], canonical))
    head = (points - shift) / scale @ turn.T
    origin = np.array(
        [
            head[[78, 308], 0].mean(),
            head[13, 1],
            head[[13, 14], 2].mean() + TEETH_BEHIND_LIPS_UNITS,
        ],
        np.float32,
    )
    columns = (np.arange(LAYER_WIDTH) + 0.5) / PX_PER_UNIT - HALF_WIDTH_UNITS
    rows = (np.arange(ROWS_ABOVE + _ROWS_BELOW) - ROWS_ABOVE) / PX_PER_UNIT
    grid = np.stack(np.meshgrid(columns, rows), -1)  # [rows, columns, 2]
    spots = np.concatenate([grid, np.zeros_like(grid[..., :1])], -1) + origin
    seen = (scale * (spots @ turn) + shift).astype(np.float32)
    flat = cv2.remap(rgb, seen[..., 0], seen[..., 1], cv2.INTER_CUBIC, None, cv2.BORDER_REPLICATE)
    # lips lie before the plane of the teeth: look at them along the line of sight
    on_plane = _onto_plane(points[:, :2], scale, turn, shift, float(origin[2]))
    upper = _lip_rows(on_plane[UPPER_INNER_LIP] - origin[:2], columns)
    lower = _lip_rows(on_plane[LOWER_INNER_LIP] - origin[:2], columns)
    return flat, upper, lower, origin


def _onto_plane(
    pixels: FloatArray, scale: float, turn: FloatArray, shift: FloatArray, z: float
) -> FloatArray:
    """Canonical (x, y) [n, 2] at depth ``z`` that picture points [n, 2] show."""
    seen = (pixels - shift[:2]) / scale - z * turn[2, :2]
    return seen @ np.linalg.inv(turn[:2, :2])  # type: ignore[no-any-return]


def _lip_rows(lip: FloatArray, columns: AnyArray) -> FloatArray:
    """A lip [n, 2] from corner to corner in units off the origin -> its row at each column."""
    order = np.argsort(lip[:, 0])
    height = np.interp(columns, lip[order, 0], lip[order, 1], left=np.nan, right=np.nan)
    rows: FloatArray = (height * PX_PER_UNIT + ROWS_ABOVE).astype(np.float32)
    return rows


def whiteness(flat: AnyArray, inside: AnyArray) -> FloatArray:
    """0..1 per pixel: teeth are as bright in green and blue as in red, gums and tongue are not."""
    least = flat[..., 1:].min(-1).astype(np.float32)
    bright = np.quantile(least[inside], 0.95) if inside.any() else 255.0
    share = (least / max(float(bright), 1.0) - 0.50) / 0.16
    return np.where(inside, share.clip(0, 1), 0).astype(np.float32)


def interior_mask(upper: FloatArray, lower: FloatArray, rows: int, inset: float) -> AnyArray:
    """Boolean [rows, columns]: between the lips, ``inset`` rows away from them."""
    row = np.arange(rows)[:, None]
    with np.errstate(invalid="ignore"):
        return (row >= upper + inset) & (row <= lower - inset)


def upper_teeth_mask(flat: AnyArray, upper: FloatArray, lower: FloatArray) -> FloatArray:
    """0..1 [rows, columns]: the upper teeth and all above them."""
    rows = np.arange(len(flat))[:, None]
    inside = interior_mask(upper, lower, len(flat), 1.0)
    with np.errstate(invalid="ignore"):
        high = inside & (rows < upper + _SPLIT * (lower - upper))
    white = np.where(high, whiteness(flat, inside), 0)
    return np.maximum.accumulate(white[::-1], 0)[::-1]


def cut_mouth(rgb: Image, points: FloatArray, canonical: FloatArray) -> MouthLayers:
    """Layers of a wide open mouth; ``points`` [L, 3] in pixels of ``rgb``."""
    import cv2

    flat, upper, lower, _ = flatten_mouth(rgb, points, canonical)
    inside = interior_mask(upper, lower, len(flat), 1.0)
    rows = np.arange(len(flat))[:, None]
    teeth_up = upper_teeth_mask(flat, upper, lower)
    with np.errstate(invalid="ignore"):
        low = inside & (rows > upper + (_SPLIT + 0.08) * (lower - upper))
    teeth_low = np.maximum.accumulate(np.where(low, whiteness(flat, inside), 0), 0)
    filled = _filled_outward(flat, upper, lower)
    edge_up = _edge_row(teeth_up, last=True)
    edge_low = _edge_row(teeth_low, last=False)
    teeth_up[edge_up + _EDGE_SLACK_ROWS :] = 0  # glints on the tongue
    teeth_low[: edge_low - _EDGE_SLACK_ROWS] = 0
    between_teeth = np.ones((1, 11), np.uint8)
    teeth_low = cv2.morphologyEx(teeth_low, cv2.MORPH_CLOSE, between_teeth)
    width = float(np.linalg.norm(canonical[61] - canonical[291]))
    upper_layer = _layer(filled, teeth_up, edge_up - UPPER_EDGE_ROW, UPPER_ROWS)
    lower_layer = _layer(filled, teeth_low, edge_low - LOWER_EDGE_ROW, LOWER_ROWS)
    hole = ((teeth_up > 0.05) | (teeth_low > 0.05)).astype(np.uint8)
    hole = cv2.dilate(hole, np.ones((7, 7), np.uint8))
    clean = cv2.inpaint(filled, hole, 5, cv2.INPAINT_TELEA)
    cavity = _cavity(clean, upper, lower)
    return MouthLayers(upper_layer, lower_layer, cavity, width, skin_colour(rgb, points))


def _filled_outward(flat: Image, upper: FloatArray, lower: FloatArray) -> Image:
    """What lies under the lips: each column's interior continued up and down."""
    import cv2

    rows = np.arange(len(flat))[:, None]
    known = np.flatnonzero(np.isfinite(upper) & (lower - upper > 6))
    columns = np.clip(np.arange(flat.shape[1]), known[0], known[-1])
    top, bottom = np.ceil(upper[columns]) + 3, np.floor(lower[columns]) - 3
    middle = (top + bottom) / 2
    taken = np.clip(rows, np.minimum(top, middle), np.maximum(bottom, middle)).astype(np.int64)
    filled = np.ascontiguousarray(flat[taken, columns[None, :]])
    # the continued columns would show as stripes, and as longer teeth: they turn into gum
    calm = cv2.blur(filled, (41, 1)).astype(np.float32) * _GUM
    beyond = np.clip(np.abs(rows - taken) / 10.0, 0, 1)[..., None]
    mixed: Image = (filled + (calm - filled) * beyond).astype(np.uint8)
    return mixed


def _edge_row(mask: FloatArray, last: bool) -> int:
    """Where the incisors end: the median over the middle columns of the mask's edge."""
    middle = mask[:, LAYER_WIDTH // 2 - 15 : LAYER_WIDTH // 2 + 15] > 0.5
    rows = [np.flatnonzero(column) for column in middle.T if column.any()]
    if not rows:
        return len(mask) // 2
    return int(np.median([found[-1] if last else found[0] for found in rows]))


def _layer(filled: Image, mask: FloatArray, top: int, rows: int) -> AnyArray:
    import cv2

    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.8)
    layer = np.dstack([filled, np.round(soft * 255).astype(np.uint8)])
    index = np.clip(np.arange(top, top + rows), 0, len(filled) - 1)
    return np.ascontiguousarray(layer[index])


def _cavity(clean: Image, upper: FloatArray, lower: FloatArray) -> AnyArray:
    """The mouth without teeth as a square: across from corner to corner, down from lip to lip."""
    import cv2

    known = np.flatnonzero(np.isfinite(upper))
    across = np.linspace(known[0] + 4, known[-1] - 4, CAVITY_SIDE)
    top, bottom = (np.interp(across, known, rows[known]) for rows in (upper, lower))
    down = np.linspace(0.04, 0.96, CAVITY_SIDE)[:, None]
    y = top + down * (bottom - top)
    x = np.broadcast_to(across, y.shape)
    square = cv2.remap(clean, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR)
    even = (
        square.astype(np.float32) + square[:, ::-1]
    ) / 2  # light from one side is not of the mouth
    calm = cv2.GaussianBlur(even, (0, 0), 3.5)
    calm *= min(1.0, _BRIGHTEST_CAVITY / float(calm.mean()))
    return calm.astype(np.uint8)  # type: ignore[no-any-return]
