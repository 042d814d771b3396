"""The inside of the mouth: cavity, lower teeth on the jaw, upper teeth on the skull, lit by the
portrait's own light and cut off by its lips."""

from dataclasses import dataclass, replace

import numpy as np

from liveportrait.lite.face_light import lip_colour, skin_colour, teeth_light
from liveportrait.lite.mouth_bank import (
    HALF_WIDTH_UNITS,
    LAYER_WIDTH,
    LOWER_EDGE_ROW,
    PX_PER_UNIT,
    UPPER_EDGE_ROW,
    UPPER_ROWS,
    MouthLayers,
)
from liveportrait.lite.mouth_cut import (
    ROWS_ABOVE,
    TEETH_BEHIND_LIPS_UNITS,
    flatten_mouth,
    upper_teeth_mask,
)
from liveportrait.lite.paint import blend, darken_line, soft_polygon
from models.face_keypoints import LOWER_INNER_LIP, UPPER_INNER_LIP, lip_gap
from models.shapes import AnyArray, FloatArray, Image

OUTLINE = np.concatenate([UPPER_INNER_LIP, LOWER_INNER_LIP[-2:0:-1]])  # [20], around the opening
EDGE_BELOW_LIPS_UNITS = 3.6  # upper incisors end this far below where resting lips meet
_FOLLOW_SHARE = 0.5
_LOWER_EDGE_UNITS = 2.2  # lower incisors rise this far above the lower lip of a wide open mouth
_SMALLEST_GAP_UNITS = 0.5
_WIDTH_WEIGHT = 3.0
_WET_LIP = 0.6  # brightness of the lower lip's inside over its outside
_WET_LIP_UNITS, _WET_LIP_SHARE = 4.0, 0.8  # how far above the lip's edge it is seen, how much
_SEAM_GAP_UNITS = 1.5
_SHADOW_POWERS = np.array([0.8, 1.1, 1.15], np.float32)  # of red, green and blue
_SEAM_DARKNESS = 0.5
_OWN_TEETH_GAP = 0.05  # over the eye distance: from here on a portrait shows its own teeth


@dataclass(frozen=True, slots=True)
class MouthPaint:
    """The layers of one portrait's mouth, toned, and where they hang."""

    upper: AnyArray  # [rows, LAYER_WIDTH, 4] uint8
    lower: AnyArray
    cavity: AnyArray
    upper_at: FloatArray  # [2] canonical x, y of the upper edge's middle, fixed to the skull
    depth: float  # canonical z of the teeth's plane
    lip: FloatArray  # [3] the wet inside of the lower lip
    seam: bool = False  # the portrait's lips are apart: shut, they need a line where they meet


def prepare_mouth(
    bank: list[MouthLayers], rgb: Image, points: FloatArray, canonical: FloatArray
) -> MouthPaint:
    """Borrow the mouth of who is nearest to the portrait in light, skin and width of the mouth,
    tone it, hang it up. One portrait borrows from one person, whatever it says.

    rgb: the frame-sized picture; points: [L, 3] its mesh; canonical: [L, 3] its head, lips shut.
    """
    light = teeth_light(rgb, points)
    skin = skin_colour(rgb, points)
    width = float(np.linalg.norm(canonical[61] - canonical[291]))
    mouth = min(bank, key=lambda one: _unlikeness(one, light, skin, width))
    gain = light / mouth.teeth_colour
    middle = canonical[[78, 308], 0].mean()
    paint = MouthPaint(
        _toned(mouth.upper, gain),
        _toned(mouth.lower, gain * 0.9),
        _toned(mouth.cavity, gain * 0.8),
        np.array([middle, canonical[13, 1] + EDGE_BELOW_LIPS_UNITS], np.float32),
        float(canonical[[13, 14], 2].mean()) + TEETH_BEHIND_LIPS_UNITS,
        _WET_LIP * lip_colour(rgb, points),
    )
    if lip_gap(points[None])[0] > _OWN_TEETH_GAP:
        return _with_own_teeth(paint, rgb, points, canonical)
    return paint


def _unlikeness(mouth: MouthLayers, light: FloatArray, skin: FloatArray, width: float) -> float:
    """How far a mouth of the bank is from a portrait's teeth colour [3], skin [3] and width."""
    tone = np.abs(np.log(light / mouth.teeth_colour)).sum()
    complexion = np.abs(np.log((skin + 1) / (mouth.skin + 1))).sum()
    return float(tone + complexion + _WIDTH_WEIGHT * abs(np.log(width / mouth.mouth_width)))


def _toned(layer: AnyArray, gain: FloatArray) -> AnyArray:
    toned = layer.copy()
    toned[..., :3] = np.clip(layer[..., :3] * gain, 0, 255).astype(np.uint8)
    return toned


def _with_own_teeth(
    paint: MouthPaint, rgb: Image, points: FloatArray, canonical: FloatArray
) -> MouthPaint:
    """Lay the portrait's own visible upper teeth over those of the bank, which then go on beside
    and above them in the same tone; the bank's alone when no own teeth can be told."""
    import cv2

    flat, upper, lower, origin = flatten_mouth(rgb, points, canonical)
    mask = upper_teeth_mask(flat, upper, lower)
    rows = np.flatnonzero((mask > 0.5).sum(1) > LAYER_WIDTH // 8)
    if not len(rows):
        return paint
    edge = int(rows[-1])
    index = np.clip(np.arange(edge - UPPER_EDGE_ROW, edge - UPPER_EDGE_ROW + UPPER_ROWS), 0, None)
    own, seen = flat[index].astype(np.float32), mask[index]
    with np.errstate(invalid="ignore"):
        seen = np.where((index[:, None] >= upper + 2) & (index[:, None] <= lower - 1), seen, 0)
    place = np.arange(LAYER_WIDTH)
    showing = np.flatnonzero((seen > 0.5).any(0))
    sides = np.clip(np.minimum(place - showing[0], showing[-1] - place) / 10.0, 0, 1)
    seen = (cv2.GaussianBlur(seen, (0, 0), 1.0) * sides)[..., None]
    bank = paint.upper.astype(np.float32)
    both = (seen[..., 0] > 0.9) & (bank[..., 3] > 200)
    gain = own[both].mean(0) / bank[both][:, :3].mean(0) if both.sum() > 40 else np.ones(3)
    colour = bank[..., :3] * gain
    colour += (own - colour) * seen
    cover = np.maximum(bank[..., 3:], 255 * seen)
    layer = np.concatenate([colour, cover], -1).clip(0, 255).astype(np.uint8)
    at = np.array([origin[0], origin[1] + (edge - ROWS_ABOVE) / PX_PER_UNIT], np.float32)
    return replace(paint, upper=layer, upper_at=at, depth=float(origin[2]), seam=True)


@dataclass(frozen=True, slots=True)
class MouthFrame:
    """What the mouth needs to know of one frame."""

    pixels: FloatArray  # [L, 2] the moved face mesh in the frame
    head: FloatArray  # [L, 3] the same along the head's axes, canonical units
    scale: float
    turn: FloatArray  # [3, 3]
    shift: FloatArray  # [3]
    px: float = 1.0  # how wide is what a usual frame's pixel is wide


def paint_mouth(frame: Image, paint: MouthPaint, mouth: MouthFrame) -> None:
    """Draw the inside of the mouth into ``frame`` [H, W, 3] in place; nothing when it is shut."""
    gaps = mouth.head[LOWER_INNER_LIP, 1] - mouth.head[UPPER_INNER_LIP, 1]
    gap = float(gaps.max())
    if paint.seam and gap < _SEAM_GAP_UNITS:
        line: FloatArray = 0.5 * (mouth.pixels[UPPER_INNER_LIP] + mouth.pixels[LOWER_INNER_LIP])
        darken_line(frame, line, _SEAM_DARKNESS * (1.0 - gap / _SEAM_GAP_UNITS), mouth.px)
    if gap < _SMALLEST_GAP_UNITS:
        return
    outline = mouth.pixels[OUTLINE]
    left, top = np.maximum(np.floor(outline.min(0)).astype(int) - 2, 0)
    right, bottom = np.minimum(
        np.ceil(outline.max(0)).astype(int) + 3, [frame.shape[1], frame.shape[0]]
    )
    if right - left < 4 or bottom - top < 2:
        return
    mask = soft_polygon(outline, left, top, right, bottom)
    mask *= min(1.0, (gap - _SMALLEST_GAP_UNITS) / 1.5)
    layer = _interior(paint, mouth, gap, (left, top, right, bottom))
    blend(frame[top:bottom, left:right], layer, mask)


def _interior(
    paint: MouthPaint, mouth: MouthFrame, gap: float, box: tuple[int, int, int, int]
) -> FloatArray:
    """Colour [h, w, 3] of the mouth's inside over a box of frame pixels."""
    import cv2

    left, top, right, bottom = box
    spot = np.stack(np.meshgrid(np.arange(left, right), np.arange(top, bottom)), -1)
    offset = (spot - mouth.shift[:2]) / mouth.scale - paint.depth * mouth.turn[2, :2]
    spot = (offset @ np.linalg.inv(mouth.turn[:2, :2])).astype(np.float32)  # canonical x, y
    x, y = spot[..., 0], spot[..., 1]
    # lips along the same line of sight
    seen = (mouth.pixels - mouth.shift[:2]) / mouth.scale - paint.depth * mouth.turn[2, :2]
    seen = seen @ np.linalg.inv(mouth.turn[:2, :2])
    upper, lower = seen[UPPER_INNER_LIP], seen[LOWER_INNER_LIP]
    order_up, order_low = np.argsort(upper[:, 0]), np.argsort(lower[:, 0])
    across = x[0] if abs(mouth.turn[0, 1]) < 1e-6 else x
    lip_up = np.interp(across, upper[order_up, 0], upper[order_up, 1])
    lip_low = np.interp(across, lower[order_low, 0], lower[order_low, 1])
    first, last = upper[order_up[0], 0], upper[order_up[-1], 0]

    def sample(layer: AnyArray, column: AnyArray, row: AnyArray) -> FloatArray:
        return cv2.remap(  # type: ignore[no-any-return]
            layer,
            np.broadcast_to(column, x.shape).astype(np.float32),
            np.broadcast_to(row, x.shape).astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        ).astype(np.float32)

    side = paint.cavity.shape[0] - 1
    inner = sample(
        paint.cavity,
        (x - first) / (last - first) * side,
        (y - lip_up) / np.maximum(lip_low - lip_up, 0.5) * side,
    )
    wet = np.clip(1.0 - (lip_low - y) / _WET_LIP_UNITS, 0.0, 1.0)
    inner += (paint.lip - inner) * (_WET_LIP_SHARE * wet)[..., None]
    column = (x - paint.upper_at[0] + HALF_WIDTH_UNITS) * PX_PER_UNIT - 0.5
    rise = _LOWER_EDGE_UNITS * float(np.clip((gap - 6.0) / 14.0, 0.0, 1.0))
    low_edge = mouth.head[14, 1] - rise
    low = sample(paint.lower, column, (y - low_edge) * PX_PER_UNIT + LOWER_EDGE_ROW)
    # a raised lip would bare more gum than a mouth has: let the teeth follow it a little
    raised = max(0.0, paint.upper_at[1] - EDGE_BELOW_LIPS_UNITS - float(mouth.head[13, 1]))
    edge = paint.upper_at[1] - _FOLLOW_SHARE * raised
    high = sample(paint.upper, column, (y - edge) * PX_PER_UNIT + UPPER_EDGE_ROW)
    inner += (low[..., :3] - inner) * (low[..., 3:] / 255.0)
    inner += (high[..., :3] - inner) * (high[..., 3:] / 255.0)
    # little light comes in: less under the upper lip, towards the corners and in a narrow mouth,
    # and what comes has been on lips and gums: shadows in a mouth are red
    under_lip = 0.72 + 0.28 * np.clip((y - lip_up) / 4.0, 0, 1)
    corners = 0.35 + 0.65 * np.clip(np.minimum(x - first, last - x) / 16.0, 0, 1)
    opening = 0.82 + 0.18 * min(1.0, gap / 12.0)
    shade = (under_lip * corners * opening)[..., None]
    return inner * shade**_SHADOW_POWERS  # type: ignore[no-any-return]
