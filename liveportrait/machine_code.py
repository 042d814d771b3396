"""Loops over pixels as machine code."""

from collections.abc import Callable
from typing import Any

Kernel = Callable[..., None]


def machine_code(loop: Kernel, *signature: Any, **options: Any) -> Kernel:
    """``loop`` compiled by numba, for its ``signature`` at once or else for each call's types; kept
    on disk where that is allowed. Other threads run meanwhile."""
    from numba import njit

    try:
        compiled: Kernel = njit(*signature, cache=True, nogil=True, **options)(loop)
    except RuntimeError:  # numba found no folder that it may write its cache to
        compiled = njit(*signature, nogil=True, **options)(loop)
    return compiled
