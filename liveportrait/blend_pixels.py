"""Laying pictures over each other, one pass over their bytes."""

import functools

from liveportrait.machine_code import Kernel, machine_code
from models.shapes import AnyArray


def _blend(above: AnyArray, share: AnyArray, below: AnyArray) -> None:
    """numba's input; see ``blend_pixels``. 255ths are rounded to the nearest."""
    height, width = share.shape
    for y in range(height):
        for x in range(width):
            part = int(share[y, x])
            if part == 255:
                for c in range(3):
                    below[y, x, c] = above[y, x, c]
            elif part:
                for c in range(3):
                    mixed = above[y, x, c] * part + below[y, x, c] * (255 - part)
                    below[y, x, c] = (mixed + 127) // 255


@functools.cache
def _kernel() -> Kernel:
    """For pixels in any layout."""
    from numba import types, void

    pixels, shares = types.Array(types.uint8, 3, "A"), types.Array(types.uint8, 2, "A")
    return machine_code(_blend, void(pixels, shares, pixels))


def compile_blending() -> None:
    """Before the first frame, which would have to wait for it."""
    _kernel()


def blend_pixels(above: AnyArray, share: AnyArray, below: AnyArray) -> None:
    """Lay ``above`` over ``below``, in place of ``below``.

    above: uint8 [H, W, 3 or 4], further channels are left out; share: uint8 [H, W], 255 is all of
    ``above``, 0 leaves ``below`` bit for bit; below: uint8 [H, W, 3].
    """
    _kernel()(above, share, below)
