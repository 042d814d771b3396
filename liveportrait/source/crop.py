"""The official crop: a similarity transform of the picture, and the way back.

Source: ``src/utils/crop.py`` of the official implementation. ``vx_ratio`` is missing on purpose:
the official crop reads it and never uses it.
"""

import math
from dataclasses import dataclass

import numpy as np

from liveportrait.source.crop_box import face_box
from models.errors import ConfigError
from models.shapes import AnyArray, FloatArray, Image

NETWORK_PX = 256


@dataclass(frozen=True, slots=True)
class CropPreset:
    """How a face is cut out. Raises ConfigError for a crop that would hold nothing.

    ``size_px``: side of the crop; ``scale``: its side over the extent of the landmarks;
    ``vy_ratio``: shift along the face's y axis in sides, negative shows more forehead;
    ``rotate``: whether the face is turned upright.
    """

    size_px: int = 512
    scale: float = 2.3
    vy_ratio: float = -0.125
    rotate: bool = True

    def __post_init__(self) -> None:
        if not 16 <= self.size_px <= 4096:
            raise ConfigError(f"size_px is {self.size_px}; accepted: 16 to 4096")
        if not 1 <= self.scale <= 10:
            raise ConfigError(f"scale is {self.scale}; accepted: 1 to 10")
        if not -1 <= self.vy_ratio <= 1:
            raise ConfigError(f"vy_ratio is {self.vy_ratio}; accepted: -1 to 1")


HUMAN_SOURCE = CropPreset()
ANIMAL_SOURCE = CropPreset()  # the same numbers on the nine animal points
DRIVING = CropPreset(scale=2.2, vy_ratio=-0.1, rotate=False)  # one box per video: driving_crop.py
LANDMARK_INPUT = CropPreset(size_px=224, scale=1.5, vy_ratio=-0.1)  # of the 203-point network


@dataclass(frozen=True, slots=True)
class FaceCrop:
    """A face cut out of a photograph.

    image: [S, S, 3]; image_256: what the networks see [256, 256, 3]; to_crop, to_photo: photo ->
    crop pixels and back, [3, 3] (officially M_o2c, M_c2o); landmarks_crop: the given landmarks in
    crop pixels [n, 2], if any.
    """

    image: Image
    image_256: Image
    to_crop: FloatArray
    to_photo: FloatArray
    landmarks_crop: FloatArray | None = None


def crop_image(image: Image, landmarks: AnyArray, preset: CropPreset = HUMAN_SOURCE) -> FaceCrop:
    """Cut the face with ``landmarks`` [n, 2] out of [H, W, 3] RGB; black beyond the picture.

    Raises ValueError when n is no known landmark set (``crop_box.LANDMARK_SETS``).
    """
    box = face_box(landmarks, scale=preset.scale, vy_ratio=preset.vy_ratio)
    angle = box.angle if preset.rotate else None
    matrix = similarity(box.center, box.size, preset.size_px, angle)
    return cut(image, matrix, preset.size_px, landmarks)


def crop_square(
    image: Image,
    x: float,
    y: float,
    width: float,
    height: float,
    *,
    angle_deg: float = 0.0,
    size_px: int = 512,
) -> FaceCrop:
    """Cut out a part that the user names, for faces that no detector finds, such as animals'.

    ``x``, ``y``: its left top corner in pixels; the crop is the square around its middle with the
    longer side, turned by ``angle_deg`` (clockwise). The networks expect a side of about 2.3 times
    the extent of eyes and mouth, their middle an eighth of it below the square's.
    Raises ConfigError when the part is empty or wholly outside of the picture.
    """
    rows, columns = image.shape[:2]
    inside = x < columns and y < rows and x + width > 0 and y + height > 0
    if not (width >= 2 and height >= 2 and inside):
        raise ConfigError(
            f"the crop box {x:g},{y:g},{width:g},{height:g} is not within the picture of "
            f"{columns}x{rows} pixels; accepted: x,y,w,h in pixels"
        )
    center = np.array([x + width / 2, y + height / 2], np.float32)
    matrix = similarity(center, max(width, height), size_px, math.radians(angle_deg) or None)
    return cut(image, matrix, size_px)


def similarity(center: AnyArray, side: float, size_px: int, angle: float | None) -> FloatArray:
    """Photo -> crop pixels [3, 3]: a square of ``side`` about ``center`` becomes ``size_px``.

    ``angle``: how far the square is turned, radians, clockwise.
    """
    scale = size_px / np.float32(side)
    middle_x, middle_y = np.float32(center[0]), np.float32(center[1])
    half = np.float32(size_px / 2)
    cos, sin = (1.0, 0.0) if angle is None else (math.cos(angle), math.sin(angle))
    return np.array(
        [
            [scale * cos, scale * sin, half - scale * (cos * middle_x + sin * middle_y)],
            [-scale * sin, scale * cos, half - scale * (-sin * middle_x + cos * middle_y)],
            [0, 0, 1],
        ],
        np.float32,
    )


def cut(
    image: Image, photo_to_crop: FloatArray, size_px: int, landmarks: AnyArray | None = None
) -> FaceCrop:
    """Resample [H, W, 3] by ``photo_to_crop`` [3, 3], bilinear, black beyond the picture.

    The networks' picture is made by averaging. The official code samples driving frames
    bilinearly instead, which is the same from 512 to 256 pixels.
    """
    import cv2

    pixels = cv2.warpAffine(image, photo_to_crop[:2], (size_px, size_px), flags=cv2.INTER_LINEAR)
    small = cv2.resize(pixels, (NETWORK_PX, NETWORK_PX), interpolation=cv2.INTER_AREA)
    points = None if landmarks is None else transform_points(landmarks, photo_to_crop)
    back = np.asarray(np.linalg.inv(photo_to_crop), np.float32)
    return FaceCrop(pixels, small, photo_to_crop, back, points)


def transform_points(points: AnyArray, matrix: FloatArray) -> FloatArray:
    """Points [n, 2] through a similarity [3, 3]: [n, 2]."""
    return np.asarray(points @ matrix[:2, :2].T + matrix[:2, 2], np.float32)
