"""What the benchmark found, as table and JSON."""

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

SEEDED_LABEL = "seeded weights: speed is real, pictures are noise"


@dataclass(frozen=True, slots=True)
class BenchRow:
    """One step, with all steps before it. Times are seconds per frame, paste-back included.

    ``left_out`` says why the step does not apply here; then there are no figures. ``psnr_db`` is
    of the drawn 512 x 512 pictures against the original's: None when they are the same.
    """

    name: str
    detail: str
    seconds: tuple[float, ...] = ()
    frames: int = 0
    psnr_db: float | None = None
    peak_mb: float = 0.0
    left_out: str | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def quartiles(self) -> tuple[float, float]:
        """First and third."""
        if len(self.seconds) == 1:
            return self.seconds[0], self.seconds[0]
        first, _, third = statistics.quantiles(self.seconds, n=4, method="inclusive")
        return first, third

    @property
    def fps(self) -> float:
        return 1 / self.median


@dataclass(frozen=True, slots=True)
class BenchReport:
    """All rows, the original first, and where they were measured."""

    rows: tuple[BenchRow, ...]
    machine: dict[str, str]
    weights: str  # SEEDED_LABEL or "official weights"
    notes: tuple[str, ...] = field(default=())

    def speed_up(self, row: BenchRow) -> float:
        """Of a measured row, over the original's median."""
        return self.rows[0].median / row.median

    @property
    def measured(self) -> list[BenchRow]:
        return [row for row in self.rows if row.left_out is None]

    def to_json(self) -> dict[str, Any]:
        """Everything, with the derived figures beside the measured."""
        return {
            "weights": self.weights,
            "machine": self.machine,
            "notes": list(self.notes),
            "rows": [self._row_json(row) for row in self.rows],
        }

    def _row_json(self, row: BenchRow) -> dict[str, Any]:
        if row.left_out is not None:
            return {"name": row.name, "detail": row.detail, "left_out": row.left_out}
        first, third = row.quartiles
        values = asdict(row)
        values.pop("left_out")
        return values | {
            "seconds": [round(s, 5) for s in row.seconds],
            "median_ms": round(1000 * row.median, 2),
            "quartiles_ms": [round(1000 * first, 2), round(1000 * third, 2)],
            "fps": round(row.fps, 4),
            "speed_up": round(self.speed_up(row), 3),
            "psnr_db": None if row.psnr_db is None else round(row.psnr_db, 2),
            "peak_mb": round(row.peak_mb, 1),
        }

    def markdown(self) -> str:
        """Heading, table, notes."""
        lines = [f"# Bench: {self.machine['device']}", "", f"**{self.weights}**", ""]
        lines += [
            "| step (each with all above) | ms a frame, median (quartiles) | FPS | speed-up "
            "| PSNR, dB | peak memory, MB |",
            "|---|---|---|---|---|---|",
        ]
        lines += [self._row_markdown(row) for row in self.rows]
        lines += ["", *(f"- {key}: {value}" for key, value in self.machine.items())]
        lines += [f"- {note}" for note in self.notes]
        return "\n".join(lines) + "\n"

    def _row_markdown(self, row: BenchRow) -> str:
        if row.left_out is not None:
            return f"| {row.name} | {row.left_out} | | | | |"
        first, third = (1000 * value for value in row.quartiles)
        psnr = "same" if row.psnr_db is None else f"{row.psnr_db:.1f}"
        return (
            f"| {row.name}: {row.detail} | {1000 * row.median:.1f} ({first:.1f} to {third:.1f}) "
            f"| {row.fps:.3g} | {self.speed_up(row):.2f} | {psnr} | {row.peak_mb:.0f} |"
        )

    def write(self, folder: Path) -> None:
        """bench.json, bench.md and bench.png."""
        from liveportrait.bench.chart import draw_chart

        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.to_json(), indent=1, ensure_ascii=False) + "\n"
        (folder / "bench.json").write_text(text, encoding="utf-8")
        (folder / "bench.md").write_text(self.markdown(), encoding="utf-8")
        draw_chart(self, folder / "bench.png")


def psnr_db(mean_squared_errors: Sequence[float]) -> float | None:
    """Of uint8 pictures of one size; None when there is no difference at all."""
    mean = statistics.fmean(mean_squared_errors)
    return None if mean == 0 else 10 * math.log10(255**2 / mean)
