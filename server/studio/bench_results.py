"""Benchmark results as the page shows them: those committed, and those made on the page."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.config.settings import ROOT

COMMITTED = ROOT / "tests" / "bench" / "results"
HEADERS = ["Step", "ms a frame", "FPS", "Speed-up", "PSNR, dB", "Peak memory, MB"]


@dataclass(frozen=True, slots=True)
class BenchResult:
    """What ``python -m liveportrait bench`` wrote to a folder."""

    folder: Path
    written: dict[str, Any]

    @property
    def title(self) -> str:
        """Machine, date and which weights."""
        machine = self.written["machine"]
        return f"{machine['device']}, {machine['date']}. {self.written['weights'].capitalize()}."

    @property
    def table(self) -> list[list[str]]:
        """A line of texts per step, in the order of HEADERS."""
        return [_line(row) for row in self.written["rows"]]

    @property
    def chart(self) -> str | None:
        """The picture's path."""
        path = self.folder / "bench.png"
        return str(path) if path.is_file() else None

    @property
    def notes(self) -> str:
        """Markdown list of how it was measured."""
        return "\n".join(f"- {note}" for note in self.written.get("notes", ()))


def read_result(folder: Path) -> BenchResult | None:
    """The result in ``folder``, or None where there is none that can be read."""
    try:
        written = json.loads((folder / "bench.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    complete = isinstance(written, dict) and {"rows", "machine", "weights"} <= written.keys()
    return BenchResult(folder, written) if complete else None


def committed_results(folder: Path = COMMITTED) -> list[BenchResult]:
    """Every result below ``folder``, the newest first."""
    found = [read_result(path.parent) for path in sorted(folder.glob("**/bench.json"))]
    results = [result for result in found if result is not None]
    return sorted(results, key=lambda result: str(result.written["machine"]["date"]), reverse=True)


def _line(row: dict[str, Any]) -> list[str]:
    if row.get("left_out"):
        return [row["name"], row["left_out"], "", "", "", ""]
    psnr = "same" if row["psnr_db"] is None else f"{row['psnr_db']:.1f}"
    return [
        row["name"],
        f"{row['median_ms']:.1f}",
        f"{row['fps']:.3g}",
        f"{row['speed_up']:.2f}",
        psnr,
        f"{row['peak_mb']:.0f}",
    ]
