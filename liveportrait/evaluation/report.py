"""Medians and quartiles, as a table for people and JSON for programs."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from liveportrait.evaluation.cross_driving import CrossDriving
from liveportrait.evaluation.reenactment import VARIANTS, Reenactment, Score


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle of some figures, NaN left out, and between what the middle half of them lies."""

    median: float
    low: float
    high: float
    count: int

    @classmethod
    def of(cls, values: list[float]) -> "Spread":
        """NaN throughout where there is no figure."""
        known = [value for value in values if np.isfinite(value)]
        if not known:
            return cls(float("nan"), float("nan"), float("nan"), 0)
        low, median, high = np.quantile(known, (0.25, 0.5, 0.75)).tolist()
        return cls(median, low, high, len(known))

    def __str__(self) -> str:
        if not self.count:
            return "-"
        return f"{self.median:.3f} ({self.low:.3f}..{self.high:.3f})"


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured, of every clip."""

    scores: dict[str, dict[str, Score]]  # clip -> variant -> score
    crossings: dict[str, dict[str, float]]  # "clip -> portrait" -> lip_r, eye_r
    stage_ms: dict[str, Spread]
    skipped: dict[str, str]  # clip -> why

    @classmethod
    def of(
        cls, done: list[Reenactment], crossed: list[CrossDriving], skipped: dict[str, str]
    ) -> "Report":
        """Put together what the parts measured."""
        stages = {name: None for each in done for name in each.stage_ms}
        return cls(
            {each.name: each.scores for each in done},
            {
                f"{each.clip} -> {each.portrait}": {"lip_r": each.lip_r, "eye_r": each.eye_r}
                for each in crossed
            },
            {name: Spread.of([each.stage_ms[name] for each in done]) for name in stages},
            skipped,
        )

    def spread(self, variant: str, figure: str) -> Spread:
        """Of one figure of one variant over all clips."""
        return Spread.of([getattr(of[variant], figure) for of in self.scores.values()])

    def text(self) -> str:
        """Tables: median (lower..upper quartile)."""
        lines = [f"self-reenactment of {len(self.scores)} clips: median (quartiles)"]
        lines.append("".join(["figure".ljust(18), *(name.ljust(26) for name in VARIANTS)]))
        for figure in (each.name for each in fields(Score)):
            cells = [str(self.spread(variant, figure)).ljust(26) for variant in VARIANTS]
            lines.append("".join([figure.ljust(18), *cells]).rstrip())
        for figure in ("lip_r", "eye_r"):
            found = Spread.of([each[figure] for each in self.crossings.values()])
            lines.append(f"other portraits, {figure}: {found} over {found.count} pairs")
        lines.append("milliseconds of a stage: median of the clips' medians (quartiles)")
        lines += [f"{name:10} {spread}" for name, spread in self.stage_ms.items()]
        lines += [f"skipped {name}: {why}" for name, why in self.skipped.items()]
        return "\n".join(lines)

    def save(self, path: Path) -> None:
        """Everything as JSON; what is not known as null."""
        text = json.dumps(_without_nan(asdict(self)), indent=1)
        path.write_text(text + "\n")


def _without_nan(value: object) -> object:
    if isinstance(value, dict):
        return {name: _without_nan(inner) for name, inner in value.items()}
    return None if isinstance(value, float) and not np.isfinite(value) else value
