"""What a background option puts behind the person, as pixels."""

import numpy as np

from liveportrait.output import (
    Background,
    BlurBackground,
    ColourBackground,
    OutputError,
    PictureBackground,
)
from models.errors import PortraitError
from models.images import decode_image
from models.shapes import FloatArray, Image

_LEAST_BLUR, _MOST_BLUR = 0.004, 0.05  # sigma over the frame's shorter side
_PYRAMID_LEAST_PX = 4


def background_pixels(background: Background, image: Image, matte: FloatArray) -> Image:
    """The background [H, W, 3] for a photograph of that size and its person's ``matte`` [H, W].

    Raises OutputError when the background's picture cannot be read.
    """
    height, width = matte.shape
    match background:
        case ColourBackground():
            return np.full((height, width, 3), background.rgb, np.uint8)
        case PictureBackground():
            return _filling(_decoded(background), width, height)
        case BlurBackground():
            return _out_of_focus(image, matte, background.strength)


def _decoded(background: PictureBackground) -> Image:
    try:
        return decode_image(background.image)
    except PortraitError as error:
        raise OutputError(f"the background's picture cannot be used: {error}") from error


def _filling(picture: Image, width: int, height: int) -> Image:
    """As large as fills the frame, its middle shown."""
    import cv2

    factor = max(width / picture.shape[1], height / picture.shape[0])
    kind = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    size = (
        max(width, round(factor * picture.shape[1])),
        max(height, round(factor * picture.shape[0])),
    )
    whole = cv2.resize(picture, size, interpolation=kind)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    return np.ascontiguousarray(whole[top : top + height, left : left + width], np.uint8)


def _out_of_focus(image: Image, matte: FloatArray, strength: float) -> Image:
    """The photograph without the person, its surroundings drawn in over the gap, then blurred: no
    colour of the person shines around its edge."""
    import cv2

    height, width = matte.shape
    sigma = (_LEAST_BLUR + strength * (_MOST_BLUR - _LEAST_BLUR)) * min(height, width)
    clear = 1 - np.minimum(1.0, cv2.dilate(matte, np.ones((9, 9), np.uint8)))
    filled = _filled_in(image.astype(np.float32), clear.astype(np.float32))
    blurred = cv2.GaussianBlur(filled, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(np.clip(blurred + 0.5, 0, 255), np.uint8)


def _filled_in(picture: FloatArray, known: FloatArray) -> FloatArray:
    """``picture`` [H, W, 3] with what is not ``known`` [H, W] taken from ever coarser surroundings.

    Source: the pull-push pyramid of S. Gortler et al., "The Lumigraph", SIGGRAPH 1996, 3.4.
    """
    import cv2

    height, width = known.shape
    if min(height, width) <= _PYRAMID_LEAST_PX or known.min() > 0.99:
        mean = (picture * known[..., None]).sum((0, 1)) / max(float(known.sum()), 1e-6)
        return known[..., None] * picture + (1 - known[..., None]) * mean  # type: ignore[no-any-return]
    half = ((width + 1) // 2, (height + 1) // 2)
    weight = cv2.resize(known, half, interpolation=cv2.INTER_AREA)
    colour = cv2.resize(picture * known[..., None], half, interpolation=cv2.INTER_AREA)
    colour /= np.maximum(weight, 1e-6)[..., None]
    coarse = _filled_in(colour, np.minimum(1.0, 2 * weight))
    above = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    return above + known[..., None] * (picture - above)  # type: ignore[no-any-return]
