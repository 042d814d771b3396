"""What became of every clip, and the sums of a run."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from dit.preparation.settings import PrepareSettings
from models.held_out import Split

REPORT_FILE = "report.json"


@dataclass(frozen=True, slots=True)
class StretchReport:
    """One stretch of a clip; kept when there is no reason against it."""

    name: str
    split: Split
    start_s: float  # in the clip
    end_s: float
    reasons: tuple[str, ...]  # why it was left out, the first one decides
    lag_frames: int | None  # the sound came so late (negative: early); None: not measured
    confidence: float | None
    figures: dict[str, float]
    thumbnail: str = ""  # JPEG of the face, base64; not in the report

    @property
    def kept(self) -> bool:
        """Whether it is in the shards."""
        return not self.reasons

    @property
    def seconds(self) -> float:
        """Its length in the clip."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class ClipReport:
    """One clip; ``error`` when it could not be read at all."""

    name: str
    source: str  # path below the folder
    seconds: float
    fps: float
    stretches: tuple[StretchReport, ...] = ()
    error: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Inverse of ``as_dict``, also from JSON."""
        stretches = tuple(
            StretchReport(**{**s, "reasons": tuple(s["reasons"])}) for s in values["stretches"]
        )
        names = ("name", "source", "seconds", "fps", "error")
        return cls(**{name: values[name] for name in names}, stretches=stretches)


@dataclass
class Totals:
    """Sums over clips, kept while they pass by."""

    clips: int = 0
    broken: int = 0
    stretches: int = 0
    kept: int = 0
    seconds: float = 0.0
    kept_seconds: float = 0.0
    kept_seconds_by_split: dict[Split, float] = field(default_factory=dict)
    left_out_by_reason: Counter[str] = field(default_factory=Counter)  # stretches, first reason
    lags: Counter[int] = field(default_factory=Counter)  # kept stretches by lag

    def add(self, clip: ClipReport) -> None:
        """One more clip."""
        self.clips += 1
        self.seconds += clip.seconds
        self.broken += clip.error is not None
        for stretch in clip.stretches:
            self.stretches += 1
            if not stretch.kept:
                self.left_out_by_reason[stretch.reasons[0].partition(" (")[0]] += 1
                continue
            self.kept += 1
            self.kept_seconds += stretch.seconds
            before_s = self.kept_seconds_by_split.get(stretch.split, 0.0)
            self.kept_seconds_by_split[stretch.split] = before_s + stretch.seconds
            self.lags[stretch.lag_frames or 0] += 1

    def as_dict(self) -> dict[str, Any]:
        """As plain values, counters in a fixed order."""
        return {
            "clips": self.clips,
            "clips_that_cannot_be_read": self.broken,
            "stretches": self.stretches,
            "stretches_kept": self.kept,
            "minutes": round(self.seconds / 60, 2),
            "minutes_kept": round(self.kept_seconds / 60, 2),
            "minutes_kept_by_split": {
                k: round(v / 60, 2) for k, v in sorted(self.kept_seconds_by_split.items())
            },
            "left_out_by_reason": dict(sorted(self.left_out_by_reason.items())),
            "kept_by_lag_frames": {str(k): v for k, v in sorted(self.lags.items())},
        }


def write_report(out: Path, settings: PrepareSettings, clips: Iterable[ClipReport]) -> Totals:
    """Write ``OUT/report.json``, clip by clip, and return its sums."""
    totals = Totals()
    partial = out / f"{REPORT_FILE}.partial"
    with partial.open("w") as file:
        file.write('{"settings": ' + json.dumps(asdict(settings), indent=1) + ',\n"clips": [\n')
        for line in _lines(clips, totals):
            file.write(line)
        file.write('\n],\n"totals": ' + json.dumps(totals.as_dict(), indent=1) + "}\n")
    partial.replace(out / REPORT_FILE)
    return totals


def _lines(clips: Iterable[ClipReport], totals: Totals) -> Iterator[str]:
    for index, clip in enumerate(clips):
        totals.add(clip)
        values = clip.as_dict()
        for stretch in values["stretches"]:
            del stretch["thumbnail"]
        yield (",\n" if index else "") + json.dumps(values, ensure_ascii=False)
