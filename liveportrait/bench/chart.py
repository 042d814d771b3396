"""The benchmark as a chart."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from liveportrait.bench.report import BenchReport


def draw_chart(report: "BenchReport", path: Path) -> None:
    """Frames a second of each row as bars, the original on top, PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = report.measured
    figure = Figure(figsize=(9, 1.6 + 0.5 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    colours = ["#9a9a9a", *["#2f6f9f"] * (len(rows) - 1)]
    bars = axes.barh([row.name for row in rows], [row.fps for row in rows], color=colours)
    labels = [f" {row.fps:.3g} FPS, {report.speed_up(row):.2f}x" for row in rows]
    axes.bar_label(bars, labels=labels, fontsize=9)
    axes.invert_yaxis()
    axes.margins(x=0.25)
    axes.set_xlabel("frames a second, each step with all above it")
    axes.set_title(f"{report.machine['device']}\n{report.weights}", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)
