"""When the lids fall and how: blinks at human intervals, quick to shut and slower to open.

A clock runs with the blinking rate, which depends on whether the person speaks and on the user's
control. Each time it passes a whole number and a random part, the lids fall. The clock is kept
frame by frame, so a rate may change at any moment and no blink under way is cut off; a rewound
stream finds the clock where it was.

Rates after Bentivoglio et al. 1997 ("Analysis of blink rate patterns in normal subjects": 17 a
minute at rest, 26 in conversation), at the calm end; a blink shuts in 80 ms and opens in 160.
"""

import numpy as np

from dit.seeded import uniform
from models.shapes import AnyArray, FloatArray
from models.timing import FPS

LISTENING_PER_MINUTE, SPEAKING_PER_MINUTE = 14.0, 20.0
FASTEST_PER_MINUTE = 60.0
SHUT_S, HELD_S, OPEN_S = 0.08, 0.03, 0.16
LENGTH_SPREAD = 0.15  # how much longer or shorter than usual a blink may be
LATEST = 0.85  # of the random part: two blinks lie at least 0.15 of the usual pause apart
DOUBLE_SHARE, DOUBLE_AFTER_S = 0.08, 0.36
GLANCE_UNITS = np.array((0.6, 0.3))  # most that the eyes turn with a blink
LOOK_BACK_FRAMES = 18  # longer than a double blink


def blink_clock(last: float, gate: FloatArray, level: FloatArray) -> AnyArray:
    """The clock [T] after ``last``, from how much the person speaks and the control, both [T]."""
    rate = LISTENING_PER_MINUTE + (SPEAKING_PER_MINUTE - LISTENING_PER_MINUTE) * gate
    per_frame = np.minimum(rate * level, FASTEST_PER_MINUTE) / (60.0 * FPS)
    clock: AnyArray = last + np.cumsum(per_frame.astype(np.float64))
    return clock


def first_clock(seed: int) -> float:
    """Where the clock of a session starts: 0..1."""
    return uniform(seed, 2)


def lids_shut(clock: AnyArray, seed: int) -> FloatArray:
    """How far lids are shut, 0..1, at the frames of ``clock`` [T]; whoever asks passes
    ``LOOK_BACK_FRAMES`` earlier ones, whose answers are worth nothing, and leaves them off."""
    at_s = np.arange(len(clock)) / FPS
    shut = np.zeros(len(clock))
    for number, start_s in blink_starts(clock, seed):
        length = 1.0 + LENGTH_SPREAD * (2 * uniform(seed, 8, number) - 1)
        shut = np.maximum(shut, _closure((at_s - start_s) / length))
        if uniform(seed, 9, number) < DOUBLE_SHARE:
            shut = np.maximum(shut, _closure((at_s - start_s - DOUBLE_AFTER_S) / length))
    return shut.astype(np.float32)


def blink_starts(clock: AnyArray, seed: int) -> list[tuple[int, float]]:
    """The number of each blink that begins within ``clock`` [T], and when, in seconds from its
    first frame."""
    starts = []
    for number in range(int(clock[0]) - 1, int(clock[-1]) + 1):
        due = number + LATEST * uniform(seed, 7, number)
        after = int(np.searchsorted(clock, due, side="right"))
        if 0 < after < len(clock):
            before = after - 1
            share = (due - clock[before]) / (clock[after] - clock[before])
            starts.append((number, (before + float(share)) / FPS))
    return starts


def blink_glances(clock: AnyArray, seed: int) -> FloatArray:
    """Small turns of the eyes [T, 2] that come with blinks: right and down, canonical units."""
    starts = blink_starts(clock, seed)
    at_s = np.arange(len(clock)) / FPS
    number = starts[0][0] - 1 if starts else _last_before(float(clock[0]), seed)
    shift = np.tile(_blink_glance(seed, number), (len(clock), 1))
    for number, start_s in starts:
        way = np.clip((at_s - start_s) / SHUT_S, 0.0, 1.0)[:, None]
        shift += way * (_blink_glance(seed, number) - _blink_glance(seed, number - 1))
    return shift.astype(np.float32)


def _last_before(clock: float, seed: int) -> int:
    whole = int(clock)
    return whole if whole + LATEST * uniform(seed, 7, whole) <= clock else whole - 1


def _blink_glance(seed: int, number: int) -> AnyArray:
    sides = np.array([2 * uniform(seed, purpose, number) - 1 for purpose in (10, 11)])
    return np.asarray(GLANCE_UNITS * sides)


def _closure(since_s: AnyArray) -> AnyArray:
    """How far lids are shut so many seconds after a blink began."""
    falling = np.clip(since_s / SHUT_S, 0.0, 1.0)
    rising = np.clip((since_s - SHUT_S - HELD_S) / OPEN_S, 0.0, 1.0)
    return np.asarray(_smooth(falling) * (1.0 - _smooth(rising)))


def _smooth(way: AnyArray) -> AnyArray:
    return np.asarray(way**2 * (3 - 2 * way))
