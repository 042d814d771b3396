"""Eyes: lids that really close, and an eyeball that stays rigid behind them and looks around."""

from dataclasses import dataclass

import numpy as np

from liveportrait.lite.mesh import LOWER_LIDS, UPPER_LIDS
from models.shapes import AnyArray, FloatArray, Image

UPPER_LID_SHARE = 0.88  # of a closing gap; the lower lid does the rest
_WIDEST = 1.10  # of the portrait's own lid gap: beyond it there is no eyeball to show
_SHUT_AT = 0.28  # trackers call an eye still so far open when it is shut
_GAZE_LIMIT = 0.13  # of the eye's width
_IRISES = np.array([[468, 469, 470, 471, 472], [473, 474, 475, 476, 477]], np.int64)
_ABOVE = np.array(  # the row of points over each upper lid, and under each lower one
    [[247, 30, 29, 27, 28, 56, 190], [467, 260, 259, 257, 258, 286, 414]], np.int64
)
_BELOW = np.array([[25, 110, 24, 23, 22, 26, 112], [255, 339, 254, 253, 252, 256, 341]], np.int64)
_UPPER_SKIN_COLOUR, _LOWER_SKIN_COLOUR = 0.75, 0.55  # of the way to the skin, lids shut
_LASH_DARKNESS = 0.65
_SKIN_SHARE = 0.25  # of a lid's way that the skin next to it goes along
_LIDS = np.concatenate([UPPER_LIDS, LOWER_LIDS[:, -2:0:-1]], 1)  # [2, 16], around each eye


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


def move_lids(mesh: FloatArray, source: FloatArray, openness: FloatArray) -> None:
    """Set the lids of ``mesh`` [L, 3] in place; ``source`` [L, 3] is the portrait's own head.

    The linear map alone would leave the eye half open, and pull brows and glasses along.
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


def paint_eyes(frame: Image, texture: Image, margin: int, eyes: EyeFrame) -> None:
    """Draw both eyeballs into ``frame`` [H, W, 3] in place, inside the lids."""
    for eye in range(2):
        lashes = float(np.clip((0.45 - eyes.openness[eye]) / 0.45, 0.0, 1.0))
        if lashes > 0:
            line = 0.5 * (eyes.moved[UPPER_LIDS[eye]] + eyes.moved[LOWER_LIDS[eye]])
            darken_line(frame, line, _LASH_DARKNESS * lashes, 1.3)
        outline = eyes.moved[_LIDS[eye]]
        low = np.floor(outline.min(0)).astype(int) - 2
        high = np.ceil(outline.max(0)).astype(int) + 3
        left, top = np.maximum(low, 0)
        right, bottom = np.minimum(high, [frame.shape[1], frame.shape[0]])
        if right - left < 4 or bottom - top < 2:
            continue
        # OpenCV draws at least a line, even of a slit that is shut
        slit = float(np.clip(eyes.openness[eye] / 0.15, 0.0, 1.0))
        mask = slit * soft_polygon(outline, left, top, right, bottom)
        ball = _eyeball(texture, margin, eyes, eye, (left, top, right, bottom))
        blend(frame[top:bottom, left:right], ball, mask)


def _eyeball(
    texture: Image, margin: int, eyes: EyeFrame, eye: int, box: tuple[int, int, int, int]
) -> Image:
    """The portrait's eye, moved rigidly with the eye corners, its iris shifted by the gaze."""
    import cv2

    corners = UPPER_LIDS[eye, [0, -1]]
    there, here = eyes.source[corners], eyes.moved[corners]
    # similarity frame -> portrait, as complex numbers: q -> (q - here[0]) * ratio + there[0]
    span = complex(*(there[1] - there[0])) / complex(*(here[1] - here[0]))
    iris_there = eyes.source[_IRISES[eye]]
    centre = complex(*iris_there.mean(0))
    radius = float(np.linalg.norm(iris_there[1:] - iris_there[0], axis=1).mean())
    tracked = complex(*(eyes.moved[_IRISES[eye]].mean(0) - here[0])) * span + complex(*there[0])
    width = abs(complex(*(there[1] - there[0])))
    gaze = tracked - centre
    gaze *= min(1.0, _GAZE_LIMIT * width / max(abs(gaze), 1e-6))
    left, top, right, bottom = box
    y, x = np.mgrid[top:bottom, left:right].astype(np.float32)
    place = (x + 1j * y - complex(*here[0])) * span + complex(*there[0])
    nearness = np.clip((2.6 - np.abs(place - centre - gaze) / radius) / 1.5, 0.0, 1.0)
    place = place - gaze * nearness * nearness * (3 - 2 * nearness) + complex(margin, margin)
    return cv2.remap(  # type: ignore[no-any-return]
        texture,
        place.real.astype(np.float32),
        place.imag.astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )


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
