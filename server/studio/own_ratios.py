"""How open a portrait's own eyes and lips are: where their sliders begin."""

from dataclasses import dataclass

import numpy as np

from models.shapes import FloatArray


@dataclass(frozen=True, slots=True)
class OwnRatios:
    """How open a portrait's eyes and lips are: gap over width, as the official ratios."""

    eyes: float
    lips: float


def own_ratios(points: FloatArray) -> OwnRatios:
    """From a face mesh [L, 3] in pixels."""

    def apart(first: int, second: int) -> float:
        return float(np.linalg.norm(points[first, :2] - points[second, :2]))

    eyes = (apart(159, 145) / apart(33, 133) + apart(386, 374) / apart(263, 362)) / 2
    return OwnRatios(round(eyes, 2), round(apart(13, 14) / apart(61, 291), 2))
