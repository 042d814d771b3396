"""The figures that the bench prints, and how many numbers become one."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from server.bench.usage import StageUsage


@dataclass(frozen=True, slots=True)
class Spread:
    """Several measurements of one thing."""

    median: float
    p95: float
    worst: float
    count: int


def spread(values: Sequence[float]) -> Spread | None:
    """None of no values."""
    if not len(values):
        return None
    p95 = np.percentile(values, 95)
    return Spread(
        round(float(np.median(values)), 1),
        round(float(p95), 1),
        round(float(np.max(values)), 1),
        len(values),
    )


@dataclass(frozen=True, slots=True)
class ClientFigures:
    """What one client of a live session saw. The gap is positive when the picture is late."""

    fps: float
    longest_gap_ms: float  # between two pictures
    freezes: int  # gaps of more than 200 ms
    frames_late: int  # told by the server: shown late, or not at all
    av_gap_ms: Spread | None  # of its size, by the sender reports
    voice_to_sound_ms: Spread | None
    mouth_behind_sound_ms: float | None
    voice_to_lips_ms: Spread | None
    picture_delay_ms: int  # the part of it that the server adds on purpose
    degraded: str


@dataclass(frozen=True, slots=True)
class LiveFigures:
    """Live sessions side by side."""

    seconds: float
    clients: list[ClientFigures]
    cpu_cores: dict[str, float]  # by process, all sessions together
    memory_mb: dict[str, float]
    stages: dict[str, StageUsage]


@dataclass(frozen=True, slots=True)
class FirstFrameFigures:
    """From a client's wish to its first picture."""

    from_offer_ms: Spread | None
    from_session_ms: Spread | None  # from asking for the session


@dataclass(frozen=True, slots=True)
class InterruptFigures:
    """From the call of interrupt."""

    to_silence_ms: Spread | None
    to_rest_ms: Spread | None  # the mouth stays as it is at rest
    unseen: int  # rounds without an open mouth to shut


@dataclass(frozen=True, slots=True)
class VideoFigures:
    """From the order of a video to its file."""

    seconds: float  # that it plays
    first_s: float  # that it took, with the start of the engine for files
    next_s: float  # that another one took after it


@dataclass(frozen=True, slots=True)
class SoakSample:
    """One minute of a long session."""

    minute: int
    fps: float
    freezes: int
    av_gap_ms: float | None
    clock_ms: float  # how far the media clock has moved against this machine's
    memory_mb: dict[str, float]


@dataclass(frozen=True, slots=True)
class SoakFigures:
    """A long session."""

    minutes: float
    drift_ms: float  # of the media clock, last minute against first
    av_drift_ms: float  # of picture against sound, likewise
    memory_growth_mb: dict[str, float]  # from the third minute on
    freezes: int
    frames_late: int
    samples: list[SoakSample] = field(default_factory=list)
