"""Brightness around the mouth as a linear function of its shape: an expression ratio image (Liu,
Shan and Zhang, SIGGRAPH 2001) for every way a mouth moves, so that it is steady by construction."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from liveportrait.lite.expression_light.window import (
    STATES,
    WINDOW_PX,
    MouthAtRest,
    lips_mask,
    mouth_state,
    place_window,
)
from models.errors import MissingWeightsError, WeightsError
from models.shapes import FloatArray, Image

_FADE_PX = 9.0  # along the window's border
_STRONGEST = 0.35  # of the logarithm: no expression makes skin darker or lighter than this
_LIP_MARGIN_PX = 3


@dataclass(frozen=True, slots=True)
class FacePose:
    """One frame's face."""

    head: FloatArray  # [L, 3] along the head's axes, canonical units
    pixels: FloatArray  # [L, 2]
    scale: float
    turn: FloatArray  # [3, 3]
    shift: FloatArray  # [3]


class ExpressionLight:
    """Shades a frame around the mouth, in place."""

    def __init__(self, ratios: FloatArray) -> None:
        """ratios: [STATES, WINDOW_PX, WINDOW_PX], log of the brightness for one unit of each."""
        self.ratios = ratios
        place = np.arange(WINDOW_PX, dtype=np.float32)
        ramp = np.clip(np.minimum(place, WINDOW_PX - 1 - place) / _FADE_PX, 0, 1)
        ramp = ramp * ramp * (3 - 2 * ramp)
        self._faded = ratios * (ramp[:, None] * ramp)

    def gain(self, state: FloatArray) -> FloatArray:
        """Brightness [WINDOW_PX, WINDOW_PX] over the photograph's for a mouth_state [STATES]."""
        log = np.tensordot(state, self._faded, 1)
        limited: FloatArray = np.exp(_STRONGEST * np.tanh(log / _STRONGEST)).astype(np.float32)
        return limited

    def __call__(self, frame: Image, rest: MouthAtRest, face: FacePose) -> None:
        """frame: [H, W, 3], changed in place; lips and what they enclose are left alone."""
        import cv2

        state = mouth_state(rest, face.head)
        if np.abs(state).max() < 0.01:
            return
        matrix = place_window(rest.middle, face.scale, face.turn, face.shift)
        lips = cv2.dilate(lips_mask(face.pixels, matrix), np.ones((_LIP_MARGIN_PX,) * 2, np.uint8))
        skin = 1.0 - cv2.GaussianBlur(lips, (0, 0), 1.2).astype(np.float32) / 255.0
        change = (self.gain(state) - 1.0) * skin
        shine(frame, change.astype(np.float32), matrix)


def shine(frame: Image, change: FloatArray, matrix: FloatArray) -> None:
    """Multiply a frame by 1 + ``change`` [W, W] (0 along its border), in place.

    matrix: [2, 3] window pixels -> frame pixels.
    """
    import cv2

    corner = np.array([[0, 1, 0, 1], [0, 0, 1, 1]]) * WINDOW_PX
    corners = matrix[:, :2] @ corner + matrix[:, 2:]
    left, top = np.maximum(np.floor(corners.min(1)).astype(int), 0)
    right = min(int(np.ceil(corners[0].max())), frame.shape[1])
    bottom = min(int(np.ceil(corners[1].max())), frame.shape[0])
    if right - left < 2 or bottom - top < 2:
        return
    to_patch = matrix - np.array([[0, 0, left], [0, 0, top]], np.float32)
    size = (right - left, bottom - top)
    gain = 1.0 + cv2.warpAffine(change, to_patch, size, flags=cv2.INTER_LINEAR)
    patch = frame[top:bottom, left:right]
    patch[:] = cv2.multiply(patch, cv2.merge([gain, gain, gain]), dtype=cv2.CV_8U)


def save_expression_light(ratios: FloatArray, path: Path) -> None:
    """Write the ratios as half-precision safetensors, readable for everybody."""
    from safetensors.numpy import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({"ratios": np.ascontiguousarray(ratios, np.float16)}, path)
    path.chmod(0o644)


def load_expression_light(path: Path) -> ExpressionLight:
    """Raises MissingWeightsError without the file, WeightsError on other contents."""
    from safetensors.numpy import load_file

    if not path.is_file():
        raise MissingWeightsError(
            f"{path} is missing; it belongs to the repository, "
            "`python -m liveportrait fit-expression-light` makes it anew"
        )
    try:
        ratios = load_file(path)["ratios"].astype(np.float32)
    except Exception as error:  # safetensors raises its own type, a missing tensor is a KeyError
        raise WeightsError(f"{path} holds no expression light: {error}") from error
    if ratios.shape != (STATES, WINDOW_PX, WINDOW_PX):
        raise WeightsError(f"{path}: ratios are {ratios.shape}, not [5, 64, 64]")
    return ExpressionLight(ratios)
