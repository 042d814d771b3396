"""Pictures that strangers send: JPEG, PNG or WebP bytes -> upright RGB pixels, or a named error."""

import io
import warnings
from typing import TYPE_CHECKING

import numpy as np

from models.errors import ImageTooLargeError, NotAnImageError
from models.shapes import Image

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

MAX_IMAGE_BYTES = 10 * 1024 * 1024
MAX_SIDE_PX = 4096
FORMATS = ("JPEG", "PNG", "WEBP")
MAX_JPEG_SCANS = 32  # a camera's progressive file has about ten; each one costs a whole picture


def decode_image(data: bytes) -> Image:
    """Decode a picture into RGB uint8 [H, W, 3], turned upright as its EXIF tag says.

    Transparent pixels become white; of an animation the first frame is taken. Size is judged by
    the header, before any pixel is decoded, so that a small file cannot ask for gigabytes.
    Raises ImageTooLargeError (bytes, pixels or scans) and NotAnImageError (no picture, another
    format, damaged).
    """
    from PIL import Image as Pillow
    from PIL import ImageOps

    if len(data) > MAX_IMAGE_BYTES:
        raise ImageTooLargeError(
            f"the picture has {len(data) / 2**20:.1f} MB; accepted are up to "
            f"{MAX_IMAGE_BYTES // 2**20} MB"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own limits: ours below are stricter
            with Pillow.open(io.BytesIO(data), formats=FORMATS) as picture:
                _check_size(picture.size)
                _check_scans(data)
                upright = ImageOps.exif_transpose(picture)
                rgb = np.asarray(_opaque_rgb(upright), np.uint8)
    except ImageTooLargeError:
        raise
    except Pillow.DecompressionBombError as error:
        raise ImageTooLargeError(
            f"the picture has too many pixels; accepted are up to {MAX_SIDE_PX} a side"
        ) from error
    except Exception as error:  # Pillow raises OSError, SyntaxError, ValueError, struct.error, ...
        raise NotAnImageError(
            "the data is not a whole JPEG, PNG or WebP picture, the accepted formats"
        ) from error
    return np.ascontiguousarray(rgb)


def _check_size(size: tuple[int, int]) -> None:
    width, height = size
    if max(width, height) > MAX_SIDE_PX:
        raise ImageTooLargeError(
            f"the picture is {width}x{height} pixels; accepted are up to {MAX_SIDE_PX} a side"
        )


def _check_scans(data: bytes) -> None:
    """A JPEG of 10 MB can hold ten thousand empty scans, and keep a core busy for an hour."""
    if data.startswith(b"\xff\xd8") and (scans := data.count(b"\xff\xda")) > MAX_JPEG_SCANS:
        raise ImageTooLargeError(
            f"the picture has {scans} scans; accepted are up to {MAX_JPEG_SCANS}"
        )


def _opaque_rgb(picture: "PilImage") -> "PilImage":
    """Any Pillow mode -> RGB; 16-bit grey is scaled, since Pillow would clip it."""
    from PIL import Image as Pillow

    if picture.mode.startswith("I"):
        grey = np.asarray(picture, np.int64) >> 8
        return Pillow.fromarray(grey.clip(0, 255).astype(np.uint8)).convert("RGB")
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        layer = picture.convert("RGBA")
        white = Pillow.new("RGBA", layer.size, (255, 255, 255, 255))
        return Pillow.alpha_composite(white, layer).convert("RGB")
    return picture.convert("RGB")
