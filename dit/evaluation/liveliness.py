"""Does the head live? Blinks, and how fast and how far the head moves, beside real clips."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from dit.evaluation.quartiles import Quartiles, quartiles
from dit.idle import UPPER_LID_UNITS
from dit.layout import FACE_PARTS
from models.motion import Motion
from models.shapes import AnyArray, FloatArray
from models.timing import FPS

BANDS_HZ = ((0.0, 0.5), (0.5, 2.0), (2.0, 5.0))
AXES = ("pitch", "yaw", "roll")
SPECTRUM_FRAMES = 75  # the shortest clips are this long; all are cut into such windows
SHUT, OPEN_AGAIN = 0.5, 0.3  # hysteresis, so that a lid that trembles counts once
LONGEST_BLINK_FRAMES = 12  # eyes shut for longer are no blink
# keeps out what a landmark tracker's noise adds to a third difference
TRACKER_FILTER = np.array((1, 4, 6, 4, 1), np.float64) / 16


@dataclass(frozen=True, slots=True)
class Blinks:
    """Blinks of one face over some time."""

    per_minute: float
    between_s: Quartiles  # from the start of one to the start of the next
    length_ms: Quartiles  # while the lids are at least half shut
    double_share: float  # followed by another within half a second; NaN of none


@dataclass(frozen=True, slots=True)
class HeadMotion:
    """Head movement over clips: root mean square in degrees of each axis and band, and jerk."""

    band_rms_deg: dict[str, Quartiles]  # "yaw 0.5-2 Hz"
    jerk_deg_s3: dict[str, Quartiles]  # mean of the absolute third derivative, per axis


def lids_shut(motion: Motion) -> FloatArray:
    """How far the lids of generated motion (lite keypoints) are shut, 0..1 [T]."""
    upper = list(FACE_PARTS["lite"].lids[0::2])
    shut: FloatArray = motion.exp[:, upper, 1].mean(1) / UPPER_LID_UNITS
    return shut


def blink_spans(shut: FloatArray) -> list[tuple[int, int]]:
    """First frame of each blink and the one after its last, from how far lids are shut [T]."""
    spans: list[tuple[int, int]] = []
    start: int | None = None
    last = 0
    for frame, value in enumerate(shut):
        if value > SHUT:
            start, last = (frame if start is None else start), frame
        elif start is not None and value < OPEN_AGAIN:
            spans.append((start, last + 1))
            start = None
    return [(a, b) for a, b in spans if b - a <= LONGEST_BLINK_FRAMES]


def count_blinks(series: list[FloatArray]) -> Blinks:
    """Blinks of lids [T] of one or more recordings taken together."""
    found = [blink_spans(shut) for shut in series]
    minutes = sum(len(shut) for shut in series) / FPS / 60
    pauses = [(b[0] - a[0]) / FPS for spans in found for a, b in pairwise(spans)]
    lengths = [1000 * (b - a) / FPS for spans in found for a, b in spans]
    return Blinks(
        sum(len(spans) for spans in found) / minutes if minutes else float("nan"),
        quartiles(pauses),
        quartiles(lengths),
        float(np.mean([pause < 0.5 for pause in pauses])) if pauses else float("nan"),
    )


def head_motion(motions: list[Motion]) -> HeadMotion:
    """Quartiles over clips; clips shorter than a window of 3 s have no spectrum."""
    heads = [np.stack([getattr(m, axis) for axis in AXES], 1).astype(np.float64) for m in motions]
    bands = [band_rms(head) for head in heads]
    jerks = [mean_jerk(head) for head in heads]
    return HeadMotion(
        {
            f"{axis} {low:g}-{high:g} Hz": quartiles(rms[place, band] for rms in bands)
            for place, axis in enumerate(AXES)
            for band, (low, high) in enumerate(BANDS_HZ)
        },
        {axis: quartiles(jerk[place] for jerk in jerks) for place, axis in enumerate(AXES)},
    )


def band_rms(head: AnyArray) -> AnyArray:
    """Angles [T, 3] in degrees -> root mean square per axis and band [3, 3], NaN when too short.

    Windows of 3 s, half overlapping, each less its mean and under a Hann window.
    """
    if len(head) < SPECTRUM_FRAMES:
        return np.full((head.shape[1], len(BANDS_HZ)), np.nan)
    starts = range(0, len(head) - SPECTRUM_FRAMES + 1, SPECTRUM_FRAMES // 2)
    windows = np.stack([head[s : s + SPECTRUM_FRAMES] for s in starts])  # [W, 75, 3]
    taper = np.hanning(SPECTRUM_FRAMES)[None, :, None]
    centred = (windows - windows.mean(1, keepdims=True)) * taper
    power = 2 * np.abs(np.fft.rfft(centred, axis=1)) ** 2 / (SPECTRUM_FRAMES * (taper**2).sum())
    hertz = np.fft.rfftfreq(SPECTRUM_FRAMES, 1 / FPS)
    per_band = [power[:, (hertz >= low) & (hertz < high)].sum(1).mean(0) for low, high in BANDS_HZ]
    rms: AnyArray = np.sqrt(np.stack(per_band, 1))
    return rms


def mean_jerk(head: AnyArray) -> AnyArray:
    """Angles [T, 3] in degrees -> mean absolute jerk per axis [3], degrees a second cubed."""
    if len(head) < len(TRACKER_FILTER) + 3:
        return np.full(head.shape[1], np.nan)
    calm = np.stack([np.convolve(axis, TRACKER_FILTER, "valid") for axis in head.T], 1)
    jerk: AnyArray = np.abs(np.diff(calm, 3, axis=0)).mean(0) * FPS**3
    return jerk
