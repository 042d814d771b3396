"""Eyes: lids that really close, and an eyeball that stays rigid behind them and looks around."""

from dataclasses import dataclass

import numpy as np

from liveportrait.lite.mesh import LOWER_LIDS, UPPER_LIDS
from models.shapes import AnyArray, FloatArray, Image

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
_COLOUR_BEHIND_GLASSES = 0.4
_LASH_DARKNESS = 0.65
_BRIDGE_DIP = 0.38  # measured: 0.46 and 0.59 with glasses, up to 0.29 without
_SMOOTH_FROM, _SMOOTH_TO = 0.6, 0.2  # openness between which the skin of a lid is smoothed
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


def wears_glasses(rgb: Image, points: FloatArray) -> bool:
    """Whether something thin and dark lies across the bridge of the nose.

    rgb: [H, W, 3]; points: [L, 3] its face mesh. Looks down a band from between the brows to the
    nose for a dip in brightness that a closing (dilation, then erosion) would fill.
    """
    import cv2

    start, end = points[9, :2], points[5, :2]
    length = max(int(np.linalg.norm(end - start)), 8)
    down = np.linspace(0, 1, length)[:, None, None]
    aside = np.linspace(-0.18, 0.18, 9)[None, :, None]
    spots = start + (end - start) * down + (points[362, :2] - points[133, :2]) * aside
    spots = spots.astype(np.float32)
    darkest = rgb.min(-1).astype(np.float32)
    band = cv2.remap(darkest, spots[..., 0], spots[..., 1], cv2.INTER_LINEAR)
    profile = np.median(band, axis=1)[:, None].astype(np.float32)  # [length, 1]
    window = np.ones((max(5, length // 5) | 1, 1), np.uint8)
    filled = cv2.morphologyEx(profile, cv2.MORPH_CLOSE, window)
    return bool((1 - profile / np.maximum(filled, 1.0)).max() > _BRIDGE_DIP)


def move_lid_colours(places: FloatArray, openness: FloatArray, glasses: bool = False) -> None:
    """Let closing lids take their colour from the skin next to them; ``places`` [V, 2], in place.

    The edge of an open lid is lashes and a bit of eyeball: drawn out over the eye, it would look
    like a slit. The line of the lashes is drawn anew (``paint_eyes``). Behind ``glasses`` the upper
    lid does so less: it would cover a rim that lies before it.
    """
    upper = _UPPER_SKIN_COLOUR * (_COLOUR_BEHIND_GLASSES if glasses else 1.0)
    for eye in range(2):
        closing = float(np.clip(1.0 - openness[eye], 0.0, 1.0)) ** 1.5
        for lid, skin, share in (
            (UPPER_LIDS[eye, 1:-1], _ABOVE[eye], upper),
            (LOWER_LIDS[eye, 1:-1], _BELOW[eye], _LOWER_SKIN_COLOUR),
        ):
            places[lid] += share * closing * (places[skin] - places[lid])


@dataclass(frozen=True, slots=True)
class EyeFrame:
    """What eyes need to know of one frame, all in frame pixels."""

    moved: FloatArray  # [L, 2] the face mesh in this frame
    source: FloatArray  # [L, 2] the face mesh in the portrait
    openness: FloatArray  # [2]
    glasses: bool = False


def paint_eyes(frame: Image, texture: Image, margin: int, eyes: EyeFrame) -> None:
    """Draw both eyeballs into ``frame`` [H, W, 3] in place, inside the lids."""
    for eye in range(2):
        lashes = float(np.clip((0.45 - eyes.openness[eye]) / 0.45, 0.0, 1.0))
        if lashes > 0:
            if not eyes.glasses:
                _smooth_lid(frame, eyes, eye)
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


def _smooth_lid(frame: Image, eyes: EyeFrame, eye: int) -> None:
    """Blur the drawn-out skin of a closing upper lid, which would show stripes; in place."""
    import cv2

    skin = np.concatenate([eyes.moved[_ABOVE[eye]], eyes.moved[UPPER_LIDS[eye, ::-1]]])
    left, top = np.maximum(np.floor(skin.min(0)).astype(int) - 8, 0)
    right, bottom = np.minimum(
        np.ceil(skin.max(0)).astype(int) + 9, [frame.shape[1], frame.shape[0]]
    )
    if right - left < 20 or bottom - top < 18:
        return
    share = (_SMOOTH_FROM - float(eyes.openness[eye])) / (_SMOOTH_FROM - _SMOOTH_TO)
    mask = np.clip(share, 0, 1) * soft_polygon(skin, left, top, right, bottom)
    mask = cv2.GaussianBlur(mask, (0, 0), 1.5)
    patch = frame[top:bottom, left:right]
    blend(patch, cv2.blur(cv2.blur(patch, (13, 3)), (9, 3)), mask)


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
