"""The square around the mouth in which expressions change the light, and how a mouth is put into
numbers."""

from dataclasses import dataclass

import numpy as np

from models.face_keypoints import LOWER_OUTER_LIP, UPPER_OUTER_LIP
from models.shapes import AnyArray, FloatArray, Image

WINDOW_PX = 64
PX_UNITS = 2.0  # canonical units a pixel of the window is wide
STATES = 5
_ABOVE_MOUTH_UNITS = 6.0  # of the window's middle: the folds beside the nose belong to it
_CORNERS, _CHIN = (61, 291), 152
_STATE_UNITS = np.array([20, 15, 10, 10, 20], np.float32)
_OUTER_LIPS = np.concatenate([UPPER_OUTER_LIP, LOWER_OUTER_LIP[-2:0:-1]])


@dataclass(frozen=True, slots=True)
class MouthAtRest:
    """Where a portrait's mouth is, and its shape in the photograph."""

    middle: FloatArray  # [3] of the window, canonical
    shape: FloatArray  # [STATES] its mouth_shape


def mouth_shape(head: FloatArray) -> FloatArray:
    """[STATES] of a face [L, 3] along the head's axes: lip gap, mouth width, height of the corners,
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


def mouth_at_rest(canonical: FloatArray, head: FloatArray) -> MouthAtRest:
    """Of a portrait whose head is ``canonical`` [L, 3], and ``head`` [L, 3] as photographed."""
    middle = canonical[list(_CORNERS)].mean(0)
    middle[1] -= _ABOVE_MOUTH_UNITS
    return MouthAtRest(middle.astype(np.float32), mouth_shape(head))


def mouth_state(rest: MouthAtRest, head: FloatArray) -> FloatArray:
    """[STATES], around -1..1: a frame's mouth off the photograph's, which is 0."""
    state: FloatArray = (mouth_shape(head) - rest.shape) / _STATE_UNITS
    return state


def place_window(
    middle: FloatArray, scale: float, turn: FloatArray, shift: FloatArray
) -> FloatArray:
    """Affine matrix [2, 3]: window -> frame pixels. It moves with the skull, not with the lips.

    middle: [3] canonical; scale, turn [3, 3], shift [3]: the head's pose.
    """
    centre = scale * (middle @ turn) + shift
    across = turn[0, :2] / np.linalg.norm(turn[0, :2])
    axes = PX_UNITS * scale * np.array([[across[0], -across[1]], [across[1], across[0]]])
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


def lips_mask(pixels: FloatArray, matrix: FloatArray) -> AnyArray:
    """uint8 [WINDOW_PX, WINDOW_PX], 255 on lips and mouth of a mesh [L, 2] in frame pixels."""
    import cv2

    inside = (pixels[_OUTER_LIPS] - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    mask = np.zeros((WINDOW_PX, WINDOW_PX), np.uint8)
    cv2.fillPoly(mask, [np.round(inside * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return mask
