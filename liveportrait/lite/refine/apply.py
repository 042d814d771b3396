"""The refiner at work: cut the window, ask the network for light, shine it on the frame."""

from pathlib import Path

import numpy as np
import torch

from liveportrait.lite.mouth import MouthFrame
from liveportrait.lite.refine.network import PLANES, edge_fade, load_refiner
from liveportrait.lite.refine.window import (
    STATES,
    WINDOW_PX,
    MouthView,
    cut_window,
    inner_mask,
    mouth_state,
    place_window,
)
from models.device import CompiledNetwork, DevicePolicy, compile_network
from models.shapes import AnyArray, FloatArray, Image


class Refiner:
    """Changes a frame around the mouth, in place; one thread of a CPU."""

    def __init__(self, network: CompiledNetwork) -> None:
        self._network = network
        self._planes = np.empty((1, PLANES, WINDOW_PX, WINDOW_PX), np.float32)
        self._fade = edge_fade().numpy()[..., None]

    def __call__(self, frame: Image, view: MouthView, mouth: MouthFrame) -> None:
        """frame: [H, W, 3], warped and painted; ``view``: of its portrait."""
        matrix = place_window(view.middle, mouth)
        self._planes[0, :3] = cut_window(frame, matrix).transpose(2, 0, 1)
        self._planes[0, 3] = inner_mask(mouth.pixels, matrix)
        self._planes[0, 4:] = view.rest.transpose(2, 0, 1)
        self._planes *= 1.0 / 255.0
        light = self._network(self._planes, mouth_state(view, mouth.head)[None])[0]
        shine(frame, light.transpose(1, 2, 0) * self._fade, matrix)


def shine(frame: Image, light: FloatArray, matrix: FloatArray) -> None:
    """Put ``light`` [W, W, 6] (log gains, offsets; 0 at its border) on the frame, in place.

    matrix: [2, 3] window pixels -> frame pixels.
    """
    import cv2

    corners = matrix @ np.array(
        [[0, WINDOW_PX, 0, WINDOW_PX], [0, 0, WINDOW_PX, WINDOW_PX], [1] * 4]
    )
    left, top = np.maximum(np.floor(corners.min(1)).astype(int), 0)
    right = min(int(np.ceil(corners[0].max())), frame.shape[1])
    bottom = min(int(np.ceil(corners[1].max())), frame.shape[0])
    if right - left < 2 or bottom - top < 2:
        return
    to_patch = matrix - np.array([[0, 0, left], [0, 0, top]])
    patch = frame[top:bottom, left:right]

    def spread(values: AnyArray) -> FloatArray:
        size = (right - left, bottom - top)
        grid = np.ascontiguousarray(values, np.float32)
        return cv2.warpAffine(grid, to_patch, size, flags=cv2.INTER_LINEAR)

    lit = cv2.multiply(patch, 1.0 + spread(np.expm1(light[..., :3])), dtype=cv2.CV_32F)
    lit += spread(255.0 * light[..., 3:])
    np.clip(lit, 0, 255, out=lit)
    np.rint(lit, out=lit)
    patch[:] = lit


def load_runner(path: Path, policy: DevicePolicy) -> Refiner:
    """The refiner of a weights file, compiled. Raises MissingWeightsError and WeightsError."""
    examples = (torch.zeros(1, PLANES, WINDOW_PX, WINDOW_PX), torch.zeros(1, STATES))
    return Refiner(compile_network(load_refiner(path), examples, policy, "mouth-refiner"))
