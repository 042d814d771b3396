"""Reads the pictures of the golden folder where no imaging library is installed."""

import struct
import zlib

import numpy as np

from models.errors import NotAnImageError
from models.shapes import Image

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def read_png(data: bytes) -> Image:
    """RGB uint8 [H, W, 3] of a PNG with 8 bits a channel, not interlaced, RGB.

    Source: PNG specification, W3C, third edition. Raises NotAnImageError for anything else.
    """
    if not data.startswith(_SIGNATURE):
        raise NotAnImageError("not a PNG file")
    width = height = 0
    packed, position = b"", len(_SIGNATURE)
    while position + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        body = data[position + 8 : position + 8 + length]
        position += 12 + length
        if kind == b"IHDR":
            width, height, *form = struct.unpack(">IIBBBBB", body)
            if form != [8, 2, 0, 0, 0]:
                raise NotAnImageError(f"PNG of form {form}; accepted: 8 bits, RGB, not interlaced")
        elif kind == b"IDAT":
            packed += body
    rows = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, 1 + 3 * width)
    picture = np.zeros((height, width, 3), np.uint8)
    above = np.zeros((width, 3), np.uint8)
    for y, row in enumerate(rows):
        above = _unfiltered(int(row[0]), row[1:].reshape(width, 3), above)
        picture[y] = above
    return picture


def _unfiltered(kind: int, row: Image, above: Image) -> Image:
    """A row [W, 3] from its differences; arithmetic modulo 256."""
    if kind == 0:
        return row
    if kind == 1:
        return np.cumsum(row, axis=0, dtype=np.uint8)
    if kind == 2:
        return row + above
    if kind not in (3, 4):
        raise NotAnImageError(f"PNG filter {kind}")
    out = np.zeros_like(row)
    left, corner = np.zeros(3, np.int64), np.zeros(3, np.int64)
    for x in range(len(row)):
        up = above[x].astype(np.int64)
        predicted = (left + up) // 2 if kind == 3 else _paeth(left, up, corner)
        left = (row[x] + predicted) % 256
        out[x] = left
        corner = up
    return out


def _paeth(left: np.ndarray, up: np.ndarray, corner: np.ndarray) -> np.ndarray:
    """Whichever neighbour is nearest to ``left + up - corner``."""
    guess = left + up - corner
    to_left, to_up, to_corner = (abs(guess - x) for x in (left, up, corner))
    upper = np.where(to_up <= to_corner, up, corner)
    return np.where((to_left <= to_up) & (to_left <= to_corner), left, upper)
