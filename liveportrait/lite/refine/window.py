"""The square around the mouth that the refiner sees, and what it is told about the expression."""

from dataclasses import dataclass

import numpy as np

from liveportrait.lite.mouth import OUTLINE, MouthFrame
from models.shapes import AnyArray, FloatArray, Image

WINDOW_PX = 64
PX_UNITS = 2.0  # canonical units a pixel of the window is wide
STATES = 6
_ABOVE_MOUTH_UNITS = 6.0  # of the window's middle: the folds beside the nose belong to it
_CORNERS, _CHIN = (61, 291), 152


@dataclass(frozen=True, slots=True)
class MouthView:
    """What the refiner knows of a portrait: its mouth as photographed."""

    middle: FloatArray  # [3] canonical
    rest: Image  # [WINDOW_PX, WINDOW_PX, 3] the photograph's own window
    shape: FloatArray  # [5] its mouth_shape


def mouth_shape(head: FloatArray) -> FloatArray:
    """[5] of a face [L, 3] along the head's axes: lip gap, mouth width, height of the corners,
    how far back the lips are, height of the chin; canonical units."""
    corners = head[list(_CORNERS)]
    return np.array(
        [
            head[14, 1] - head[13, 1],
            corners[1, 0] - corners[0, 0],
            corners[:, 1].mean(),
            head[[13, 14], 2].mean(),
            head[_CHIN, 1],
        ],
        np.float32,
    )


def mouth_state(view: MouthView, head: FloatArray) -> FloatArray:
    """[STATES], around -1..1: the portrait's own lip gap, and this frame's shape off its own."""
    change = mouth_shape(head) - view.shape
    units = np.array([20, 15, 10, 10, 20], np.float32)
    state: FloatArray = np.concatenate([view.shape[:1] / 20, change / units]).astype(np.float32)
    return state


def place_window(middle: FloatArray, mouth: MouthFrame) -> FloatArray:
    """Affine matrix [2, 3]: window -> frame pixels. It moves with the skull, not the lips."""
    centre = mouth.scale * (middle @ mouth.turn) + mouth.shift
    across = mouth.turn[0, :2] / np.linalg.norm(mouth.turn[0, :2])
    axes = PX_UNITS * mouth.scale * np.array([[across[0], -across[1]], [across[1], across[0]]])
    offset = centre[:2] - axes @ np.full(2, (WINDOW_PX - 1) / 2)
    return np.column_stack([axes, offset]).astype(np.float32)


def cut_window(frame: Image, matrix: FloatArray) -> Image:
    """The window [WINDOW_PX, WINDOW_PX, 3] of a frame, each pixel the mean of what it covers."""
    import cv2

    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    half = matrix @ np.array([[0.5, 0.0, -0.25], [0.0, 0.5, -0.25], [0.0, 0.0, 1.0]])
    size = (2 * WINDOW_PX, 2 * WINDOW_PX)
    fine = cv2.warpAffine(frame, half, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return cv2.resize(fine, (WINDOW_PX, WINDOW_PX), interpolation=cv2.INTER_AREA)  # type: ignore[no-any-return]


def inner_mask(pixels: FloatArray, matrix: FloatArray) -> AnyArray:
    """uint8 [WINDOW_PX, WINDOW_PX], 255 between the lips of a mesh [L, 2] in frame pixels."""
    import cv2

    inside = (pixels[OUTLINE] - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    mask = np.zeros((WINDOW_PX, WINDOW_PX), np.uint8)
    cv2.fillPoly(mask, [np.round(inside * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return mask


def view_mouth(frame: Image, canonical: FloatArray, mouth: MouthFrame) -> MouthView:
    """A portrait's view.

    frame: its picture; canonical: [L, 3] its head; mouth: as in the photograph.
    """
    middle = canonical[list(_CORNERS)].mean(0)
    middle[1] -= _ABOVE_MOUTH_UNITS
    rest = cut_window(frame, place_window(middle, mouth))
    return MouthView(middle.astype(np.float32), rest, mouth_shape(mouth.head))
