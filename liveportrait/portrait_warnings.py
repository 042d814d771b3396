"""What a person should know about the photograph they chose: it works, but not at its best."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from models.face_keypoints import eye_openness, lip_gap
from models.motion import Motion
from models.shapes import FloatArray, Image

WarningCode = Literal[
    "turned_away", "tilted", "mouth_open", "eyes_narrow", "small_face", "side_light", "cut_close"
]
_TURNED_DEG, _TILTED_DEG = 14.0, 18.0
_OPEN_GAP = 0.05  # lip gap over the eye distance
_NARROW_EYES = 0.06  # lid gap over the eye distance; people look at a camera with .08 and more
_SOFT_FACTOR = 1.5  # frame pixels per photograph pixel
_SHARP_FACE_PX = 230  # of a face in a frame of 512 pixels
_SIDE_LIGHT_RATIO = 2.0  # of the cheeks' brightness
_CHEEKS, _CHEEK_SHARE = (50, 280), 0.035
_HEADROOM_SHARE = 0.3  # of the face height, from the forehead's top to the photograph's edge


@dataclass(frozen=True, slots=True)
class PortraitWarning:
    """One thing about a photograph. The code is stable, the text is for people."""

    code: WarningCode
    text: str


def portrait_warnings(
    frame: Image, points: FloatArray, source: Motion, *, factor: float, photo_top: float
) -> tuple[PortraitWarning, ...]:
    """Of a portrait's square [S, S, 3] with its mesh [L, 3] (its pixels) and head pose (T == 1).

    factor: frame pixels per photograph pixel; photo_top: y of the photograph's upper edge.
    """
    found: list[PortraitWarning] = []

    def warn(code: WarningCode, text: str) -> None:
        found.append(PortraitWarning(code, text))

    yaw, pitch, roll = (float(angle[0]) for angle in (source.yaw, source.pitch, source.roll))
    face_px = float(np.linalg.norm(points[10] - points[152]))
    if abs(yaw) >= _TURNED_DEG:
        warn(
            "turned_away",
            f"The face looks {abs(yaw):.0f} degrees to the side. It will turn less, least of all "
            "towards the side that the photograph hides. A face that looks at you moves best.",
        )
    if max(abs(pitch) - 5.0, abs(roll)) >= _TILTED_DEG:  # most look down a little
        warn("tilted", "The head is tilted in the photograph, and stays so: it moves from there.")
    if lip_gap(points[None])[0] > _OPEN_GAP:
        warn(
            "mouth_open",
            "The mouth is open in the photograph. Shut lips have to be made from stretched ones: "
            "a photograph with closed lips looks better.",
        )
    if eye_openness(points[None])[0] < _NARROW_EYES:
        warn(
            "eyes_narrow",
            "The eyes are nearly shut in the photograph, and cannot open further than they are.",
        )
    if factor > _SOFT_FACTOR:
        warn(
            "small_face",
            f"The face is only {face_px / factor:.0f} pixels high, so the picture will look soft. "
            f"From about {_SHARP_FACE_PX} pixels on it is sharp.",
        )
    if _cheek_ratio(frame, points) >= _SIDE_LIGHT_RATIO:
        warn(
            "side_light",
            "Strong light comes from one side. Light and shadow stay where they are on the face "
            "when the head turns.",
        )
    if points[10, 1] - photo_top < _HEADROOM_SHARE * face_px:
        warn(
            "cut_close",
            "The photograph ends close above the face: what is left of the hair stretches when "
            "the head nods. Leave some room above the head.",
        )
    return tuple(found)


def _cheek_ratio(frame: Image, points: FloatArray) -> float:
    """Brightness of the lighter cheek over the darker one's."""
    half = max(2, round(_CHEEK_SHARE * float(np.linalg.norm(points[10] - points[152]))))
    side = len(frame)
    levels = []
    for x, y in np.round(points[list(_CHEEKS), :2]).astype(int).clip(half, side - half - 1):
        levels.append(float(frame[y - half : y + half + 1, x - half : x + half + 1].mean()))
    return max(levels) / max(min(levels), 1.0)
