"""Chance without state: a number that depends on nothing but a seed and what it is for."""

from functools import lru_cache

import numpy as np


@lru_cache(8192)  # what is near in time asks for the same numbers again, hop after hop
def uniform(seed: int, purpose: int, number: int = 0) -> float:
    """0..1; another ``purpose`` or ``number`` gives an unrelated one."""
    mixed = np.random.SeedSequence((seed & 0xFFFFFFFF, purpose, number & 0xFFFFFFFF))
    return float(mixed.generate_state(1, np.uint64)[0] / 2**64)
