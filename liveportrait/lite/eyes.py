"""Eyes: lids that really close, and an eyeball that stays rigid behind them and looks around."""

from dataclasses import dataclass

import numpy as np

from liveportrait.lite.glasses import Glasses
from liveportrait.lite.mesh import LOWER_LIDS, UPPER_LIDS
from liveportrait.lite.paint import blend, darken_line, soft_polygon
from models.shapes import FloatArray, Image

UPPER_LID_SHARE = 0.88  # of a closing gap; the lower lid does the rest
_WIDEST = 1.10  # of the portrait's own lid gap: beyond it there is no eyeball to show
_SHUT_AT = 0.32  # trackers call an eye still so far open when it is shut
_GAZE_LIMIT = 0.13  # of the eye's width
_IRISES = np.array([[468, 469, 470, 471, 472], [473, 474, 475, 476, 477]], np.int64)
_ABOVE = np.array(  # the row of points over each upper lid, and under each lower one
    [[247, 30, 29, 27, 28, 56, 190], [467, 260, 259, 257, 258, 286, 414]], np.int64
)
_BELOW = np.array([[25, 110, 24, 23, 22, 26, 112], [255, 339, 254, 253, 252, 256, 341]], np.int64)
_UPPER_SKIN_COLOUR, _LOWER_SKIN_COLOUR = 0.75, 0.55  # of the way to the skin, lids shut
_LASH_DARKNESS = 0.6
_LASHES_FROM, _LASHES_OVER = 0.95, 0.45  # openness below which lashes are drawn, and how softly
_LID_SHADOW, _LID_SHADOW_SHARE = 0.4, 0.2  # darkness, and depth over the eye's width
_SMOOTH_FROM, _SMOOTH_TO = 0.6, 0.2  # openness between which the skin of a lid is smoothed
_SKIN_SHARE = 0.25  # of a lid's way that the skin next to it goes along
LID_OUTLINES = np.concatenate([UPPER_LIDS, LOWER_LIDS[:, -2:0:-1]], 1)  # [2, 16], around each eye


def lid_openness(keypoint_offsets: FloatArray, eye_gap: float) -> FloatArray:
    """How far each eye is open, 1 as in the portrait, 0 shut.

    keypoint_offsets: [K, 3] off the portrait's own, head axes, canonical units -> [2].
    """
    right = keypoint_offsets[15, 1] - keypoint_offsets[14, 1]
    left = keypoint_offsets[17, 1] - keypoint_offsets[16, 1]
    openness = 1.0 + np.array([right, left], np.float32) / eye_gap
    stretched = (openness - _SHUT_AT) / (1.0 - _SHUT_AT)
    limited: FloatArray = np.clip(stretched, 0.0, _WIDEST).astype(np.float32)
    return limited


def move_lids(
    mesh: FloatArray, source: FloatArray, openness: FloatArray, glasses: bool = False
) -> None:
    """Set the lids of ``mesh`` [L, 3] in place; ``source`` [L, 3] is the portrait's own head.

    The linear map alone would leave the eye half open, and pull brows and glasses along. Behind
    ``glasses`` the skin next to the lids stays, since their rim would move with it.
    """
    for eye in range(2):
        upper, lower = UPPER_LIDS[eye, 1:-1], LOWER_LIDS[eye, 1:-1]
        corners = UPPER_LIDS[eye, [0, -1]]
        carried = (mesh[corners] - source[corners]).mean(0)
        gap = source[lower] - source[upper]
        closing = 1.0 - openness[eye]
        down = UPPER_LID_SHARE * closing * gap
        up = (1 - UPPER_LID_SHARE) * closing * gap
        mesh[upper] = source[upper] + carried + down
        mesh[lower] = source[lower] + carried - up
        if not glasses:
            mesh[_ABOVE[eye]] += _SKIN_SHARE * down
            mesh[_BELOW[eye]] -= _SKIN_SHARE * up


def move_lid_colours(places: FloatArray, openness: FloatArray) -> None:
    """Let closing lids take their colour from the skin next to them; ``places`` [V, 2], in place.

    The edge of an open lid is lashes and a bit of eyeball: drawn out over the eye, it would look
    like a slit. The line of the lashes is drawn anew (``paint_eyes``).
    """
    for eye in range(2):
        closing = float(np.clip(1.0 - openness[eye], 0.0, 1.0)) ** 1.5
        for lid, skin, share in (
            (UPPER_LIDS[eye, 1:-1], _ABOVE[eye], _UPPER_SKIN_COLOUR),
            (LOWER_LIDS[eye, 1:-1], _BELOW[eye], _LOWER_SKIN_COLOUR),
        ):
            places[lid] += share * closing * (places[skin] - places[lid])


@dataclass(frozen=True, slots=True)
class EyeFrame:
    """What eyes need to know of one frame, all in frame pixels."""

    moved: FloatArray  # [L, 2] the face mesh in this frame
    source: FloatArray  # [L, 2] the face mesh in the portrait
    openness: FloatArray  # [2]
    glasses: Glasses | None = None
    px: float = 1.0  # how wide is what a usual frame's pixel is wide


def paint_eyes(frame: Image, texture: Image, margin: int, eyes: EyeFrame) -> None:
    """Draw both eyeballs into ``frame`` [H, W, 3] in place, inside the lids."""
    for eye in range(2):
        if eyes.openness[eye] < _SMOOTH_FROM:
            _smooth_lid(frame, eyes, eye)
        _paint_ball(frame, texture, margin, eyes, eye)
        lashes = float(np.clip((_LASHES_FROM - eyes.openness[eye]) / _LASHES_OVER, 0.0, 1.0))
        if lashes > 0:
            upper, lower = eyes.moved[UPPER_LIDS[eye]], eyes.moved[LOWER_LIDS[eye]]
            shut = float(np.clip(1.0 - eyes.openness[eye] / 0.3, 0.0, 1.0))
            line = upper + 0.5 * shut * (lower - upper)
            darken_line(frame, line, _LASH_DARKNESS * lashes, 1.3 * eyes.px)
            if eyes.glasses is not None:
                _paint_rim(frame, texture, margin, eyes, eye)


def _paint_ball(frame: Image, texture: Image, margin: int, eyes: EyeFrame, eye: int) -> None:
    outline = eyes.moved[LID_OUTLINES[eye]]
    low = np.floor(outline.min(0)).astype(int) - 2
    high = np.ceil(outline.max(0)).astype(int) + 3
    left, top = np.maximum(low, 0)
    right, bottom = np.minimum(high, [frame.shape[1], frame.shape[0]])
    if right - left < 4 or bottom - top < 2:
        return
    # OpenCV draws at least a line, even of a slit that is shut
    slit = float(np.clip(eyes.openness[eye] / 0.15, 0.0, 1.0))
    mask = slit * soft_polygon(outline, left, top, right, bottom)
    ball = _eyeball(texture, margin, eyes, eye, (left, top, right, bottom))
    if eyes.openness[eye] < 1.0:
        ball = _in_lid_shadow(ball, eyes, eye, (left, top))
    blend(frame[top:bottom, left:right], ball, mask)


def _in_lid_shadow(ball: Image, eyes: EyeFrame, eye: int, corner: tuple[int, int]) -> Image:
    """An eyeball [h, w, 3] at ``corner`` under its lowered upper lid: the shadow and the lashes
    that the photograph has at its own lid come down with the lid."""
    upper = eyes.moved[UPPER_LIDS[eye]] - np.array(corner)
    order = np.argsort(upper[:, 0], kind="stable")
    lid = np.interp(np.arange(ball.shape[1]), upper[order, 0], upper[order, 1])
    there = eyes.source[UPPER_LIDS[eye]]
    gap = eyes.moved[LOWER_LIDS[eye], 1].max() - eyes.moved[UPPER_LIDS[eye], 1].min()
    reach = min(_LID_SHADOW_SHARE * np.linalg.norm(there[-1] - there[0]), 0.5 * gap) + 1e-3
    below = np.arange(ball.shape[0])[:, None] - lid  # pixels under the lid's edge
    closing = float(np.clip((1.0 - eyes.openness[eye]) / 0.35, 0.0, 1.0))
    shade = 1.0 - _LID_SHADOW * closing * np.clip(1.0 - below / reach, 0.0, 1.0)
    return (ball * shade[..., None]).astype(np.uint8)  # type: ignore[no-any-return]


def _smooth_lid(frame: Image, eyes: EyeFrame, eye: int) -> None:
    """Blur the drawn-out skin of a closing upper lid, which would show stripes; in place."""
    import cv2

    skin = np.concatenate([eyes.moved[_ABOVE[eye]], eyes.moved[UPPER_LIDS[eye, ::-1]]])
    left, top = np.maximum(np.floor(skin.min(0)).astype(int) - 8, 0)
    right, bottom = np.minimum(
        np.ceil(skin.max(0)).astype(int) + 9, [frame.shape[1], frame.shape[0]]
    )
    if right - left < 20 * eyes.px or bottom - top < 18 * eyes.px:
        return
    share = (_SMOOTH_FROM - float(eyes.openness[eye])) / (_SMOOTH_FROM - _SMOOTH_TO)
    mask = np.clip(share, 0, 1) * soft_polygon(skin, left, top, right, bottom)
    mask = cv2.GaussianBlur(mask, (0, 0), 1.5 * eyes.px)
    patch = frame[top:bottom, left:right]
    widths = [2 * round(width * eyes.px / 2) + 1 for width in (12, 8, 2)]
    blend(patch, cv2.blur(cv2.blur(patch, (widths[0], widths[2])), (widths[1], widths[2])), mask)


def _paint_rim(frame: Image, texture: Image, margin: int, eyes: EyeFrame, eye: int) -> None:
    """Put the rim of glasses back before a lid that closes behind it, in place."""
    import cv2

    assert eyes.glasses is not None
    around = np.concatenate([eyes.moved[_ABOVE[eye]], eyes.moved[LID_OUTLINES[eye]]])
    left, top = np.maximum(np.floor(around.min(0)).astype(int) - 6, 0)
    right, bottom = np.minimum(
        np.ceil(around.max(0)).astype(int) + 7, [frame.shape[1], frame.shape[0]]
    )
    if right - left < 4 or bottom - top < 4:
        return
    corners = UPPER_LIDS[eye, [0, -1]]
    there, here = eyes.source[corners], eyes.moved[corners]
    column, row = _portrait_places((left, top, right, bottom), here, there)
    column += margin
    row += margin
    layer = cv2.remap(texture, column, row, cv2.INTER_LINEAR)
    share = cv2.remap(eyes.glasses.rim, column, row, cv2.INTER_LINEAR).astype(np.float32) / 255
    shutting = float(np.clip(3 * (1 - eyes.openness[eye]) - 0.6, 0.0, 1.0))
    blend(frame[top:bottom, left:right], layer, share * shutting)


def _span(here: FloatArray, there: FloatArray) -> complex:
    """Turn and scale of the similarity that leads eye corners ``here`` [2, 2] to ``there``, as
    complex numbers: q -> (q - here[0]) * span + there[0]."""
    return complex(*(there[1] - there[0])) / complex(*(here[1] - here[0]))


def _portrait_places(
    box: tuple[int, int, int, int], here: FloatArray, there: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Columns and rows [h, w] in the portrait of a frame's box of pixels, by that similarity."""
    left, top, right, bottom = box
    x = np.arange(left, right, dtype=np.float32)
    y = np.arange(top, bottom, dtype=np.float32)[:, None]
    span = _span(here, there)
    origin = complex(*there[0]) - complex(*here[0]) * span
    column = span.real * x - span.imag * y + origin.real
    row = span.imag * x + span.real * y + origin.imag
    return column.astype(np.float32, copy=False), row.astype(np.float32, copy=False)


def _eyeball(
    texture: Image, margin: int, eyes: EyeFrame, eye: int, box: tuple[int, int, int, int]
) -> Image:
    """The portrait's eye, moved rigidly with the eye corners, its iris shifted by the gaze."""
    import cv2

    corners = UPPER_LIDS[eye, [0, -1]]
    there, here = eyes.source[corners], eyes.moved[corners]
    span = _span(here, there)
    iris_there = eyes.source[_IRISES[eye]]
    centre = complex(*iris_there.mean(0))
    radius = float(np.linalg.norm(iris_there[1:] - iris_there[0], axis=1).mean())
    tracked = complex(*(eyes.moved[_IRISES[eye]].mean(0) - here[0])) * span + complex(*there[0])
    width = abs(complex(*(there[1] - there[0])))
    gaze = tracked - centre
    gaze *= min(1.0, _GAZE_LIMIT * width / max(abs(gaze), 1e-6))
    column, row = _portrait_places(box, here, there)
    distance = cv2.magnitude(column - (centre + gaze).real, row - (centre + gaze).imag)
    nearness = np.clip((2.6 - distance / radius) / 1.5, 0.0, 1.0)
    eased = nearness * nearness * (3 - 2 * nearness)
    column += margin - gaze.real * eased
    row += margin - gaze.imag * eased
    return cv2.remap(  # type: ignore[no-any-return]
        texture, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
