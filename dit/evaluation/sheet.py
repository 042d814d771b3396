"""A contact sheet of curves: what the lips did, and what was generated, clip under clip."""

from pathlib import Path
from typing import Any

import numpy as np

from dit.evaluation.lips import ClipLips, LoudnessBaseline, generated_lips
from dit.evaluation.recordings import Recording
from models.motion import Motion
from models.shapes import FloatArray
from models.timing import FPS

SHOWN_FRAMES = 8 * FPS  # of a long clip its first seconds
ROW_INCHES, WIDTH_INCHES, DPI = 1.5, 16.0, 90
TRUE_COLOUR, GENERATED_COLOUR, LOUDNESS_COLOUR = "black", "tab:red", "tab:blue"


def write_sheet(
    path: Path,
    clips: list[Recording],
    motions: list[Motion],
    scores: list[ClipLips],
    baseline: LoudnessBaseline,
) -> None:
    """Draw every clip's lip gap (left) and width (right) into a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_INCHES, ROW_INCHES * len(clips) + 0.8), dpi=DPI)
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(clips), 2, squeeze=False)
    for row, clip, motion, score in zip(axes, clips, motions, scores, strict=True):
        lips, guess = generated_lips(motion), baseline(clip.loudness_db)
        for place, (axis, name) in enumerate(zip(row, ("gap", "width"), strict=True)):
            truth = clip.gap if name == "gap" else clip.width
            fit = score.gap if name == "gap" else score.width
            _draw(axis, truth, lips[:, place], guess[:, place])
            axis.set_title(
                f"{clip.name[:44]}: {name}, r {fit.r:.2f} at {fit.lag_frames:+d}, "
                f"loudness {fit.loudness_r:.2f}",
                fontsize=8,
            )
    axes[0, 0].legend(loc="upper right", fontsize=7, ncols=3)
    axes[-1, 0].set_xlabel("seconds")
    figure.tight_layout()
    figure.savefig(path)


def _draw(axis: Any, truth: FloatArray, generated: FloatArray, loudness: FloatArray) -> None:
    """Deviations from the median in percent of the eye distance; loudness scaled to truth."""
    frames = min(SHOWN_FRAMES, len(truth))
    at_s = np.arange(frames) / FPS
    scale = truth.std() / max(float(loudness.std()), 1e-9)
    for values, colour, width, label in (
        (scale * loudness, LOUDNESS_COLOUR, 0.6, "loudness alone"),
        (truth, TRUE_COLOUR, 1.2, "true"),
        (generated, GENERATED_COLOUR, 1.2, "generated"),
    ):
        moved = 100 * (values - np.median(values))[:frames]
        axis.plot(at_s, moved, color=colour, linewidth=width, label=label)
    axis.tick_params(labelsize=7)
