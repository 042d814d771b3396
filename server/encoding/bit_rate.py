"""One bit rate for all who watch the same encoded pictures.

Each viewer's connection has a limit (webrtc/bandwidth.py); the ceiling, while nothing is known to
be wrong with it. The slowest decides, between a floor and a
ceiling, with one exception: a viewer that can take less than SLOW of what the middle one takes is
left behind (it loses pictures, its requests for key frames wait longer), so that one bad network
does not spoil the picture for everybody.
"""

import statistics
from collections.abc import Sequence

SLOW = 1 / 3


def shared_bit_s(limits_bit_s: Sequence[int], floor_bit_s: int, ceiling_bit_s: int) -> int:
    """Bits a second for viewers with these limits."""
    followed = [x for x in limits_bit_s if not is_slow(x, limits_bit_s, ceiling_bit_s)]
    return max(floor_bit_s, min([ceiling_bit_s, *followed]))


def is_slow(limit_bit_s: int, all_limits_bit_s: Sequence[int], ceiling_bit_s: int) -> bool:
    """Whether this one of all viewers is left behind. Limits above the ceiling count as it."""
    middle = statistics.median_high(min(ceiling_bit_s, x) for x in all_limits_bit_s)
    return limit_bit_s < SLOW * middle
