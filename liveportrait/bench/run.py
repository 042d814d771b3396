"""Measure all rows on the same frames, in turn, and write what came of it."""

import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from liveportrait.bench.frames import BenchFrames, prepare_frames
from liveportrait.bench.job import BenchJob
from liveportrait.bench.memory import peak_memory
from liveportrait.bench.report import SEEDED_LABEL, BenchReport, BenchRow, psnr_db
from liveportrait.bench.stages import Drawing, Stage, draw, stages
from liveportrait.networks.networks import Networks
from liveportrait.neural.engine import networks_of
from liveportrait.runtime.decoder import EagerDecoder
from models.errors import MissingWeightsError
from models.shapes import Image

Progress = Callable[[int, int], None]  # steps done, steps in all


@dataclass(slots=True)
class _Measured:
    stage: Stage
    decoder: Drawing
    source: list[Any]
    seconds: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)  # mean squared, per frame
    peak_mb: float = 0.0


def run_bench(job: BenchJob, progress: Progress | None = None) -> BenchReport:
    """Measure every row, write bench.json, bench.md and bench.png to ``job.out``.

    Without official weights, or when asked to, with seeded ones. Rows take turns, frame by frame
    or batch by batch, so that a busy moment of the machine meets all of them. Raises what
    ``animate`` raises about its source and driver.
    """
    progress = progress or (lambda _done, _all: None)
    job.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(job.threads)
    networks, label = _networks(job)
    frames = prepare_frames(job, EagerDecoder(networks))
    report = measure(stages(networks, job), frames, job, label, progress)
    report.write(job.out)
    return report


def measure(
    rows: list[Stage], frames: BenchFrames, job: BenchJob, label: str, progress: Progress
) -> BenchReport:
    """The report of these rows; the first is the original."""
    device = job.real_device
    applied = [row for row in rows if row.left_out is None]
    longest = max(row.batch for row in applied)
    rounds = [frames.part(slice(i, i + longest)) for i in range(0, len(frames), longest)]
    turns = sum(len(_starts(row, part)) for row in applied for part in rounds)
    total, taken = len(applied) + turns, 0
    measured = []
    for row in applied:
        measured.append(_prepared(row, frames, device))
        progress(taken := taken + 1, total)
    for part in rounds:
        drawn: list[list[Image]] = [[] for _ in measured]
        for index in range(len(part)):
            for entry, pictures in zip(measured, drawn, strict=True):
                if index in _starts(entry.stage, part):
                    pictures += _timed(entry, part, index, device)
                    progress(taken := taken + 1, total)
        for entry, pictures in zip(measured, drawn, strict=True):
            pairs = zip(pictures, drawn[0], strict=True)
            entry.errors += [_squared_error(a, b) for a, b in pairs]
    by_name = {entry.stage.name: entry for entry in measured}
    return BenchReport(
        rows=tuple(_row(row, by_name.get(row.name), len(frames)) for row in rows),
        machine=machine(device, job),
        weights=label,
        notes=(
            f"{len(frames)} frames of each row, drawn in turns with the other rows, after a "
            "warm-up; every row draws and pastes back the same frames, none is skipped",
            f"photograph of {frames.photo.shape[1]} x {frames.photo.shape[0]} pixels; peak memory "
            "is what a row adds: its networks when they are made, and the most while it draws",
        ),
    )


def _networks(job: BenchJob) -> tuple[Networks, str]:
    if not job.seeded_weights:
        try:
            return networks_of(job.weights), "official weights"
        except MissingWeightsError:
            pass
    return networks_of(job.weights, seeded=True), SEEDED_LABEL


def _prepared(stage: Stage, frames: BenchFrames, device: str) -> _Measured:
    """The decoder, after a warm-up of one call."""
    assert stage.make is not None
    with peak_memory(device) as peak:
        decoder = stage.make()
        source = decoder.features(frames.crop_256[None])
        draw(stage, decoder, source, frames.part(slice(stage.batch)))
    return _Measured(stage, decoder, source, peak_mb=peak.mb)


def _starts(stage: Stage, frames: BenchFrames) -> range:
    """At which frames of a round a row takes its turns."""
    return range(0, len(frames), _turn_frames(stage, frames))


def _turn_frames(stage: Stage, frames: BenchFrames) -> int:
    """A frame, a batch; or the round, so that paste-back has something to overlap with."""
    return len(frames) if stage.workers else stage.batch


def _timed(entry: _Measured, frames: BenchFrames, start: int, device: str) -> list[Image]:
    """One turn of a row: its pictures."""
    part = frames.part(slice(start, start + _turn_frames(entry.stage, frames)))
    with peak_memory(device) as peak:
        begin = time.perf_counter()
        drawn = draw(entry.stage, entry.decoder, entry.source, part)
        entry.seconds.append((time.perf_counter() - begin) / len(part))
    entry.peak_mb = max(entry.peak_mb, peak.mb)
    return drawn


def _squared_error(a: Image, b: Image) -> float:
    return float(np.square(a.astype(np.float64) - b).mean())


def _row(stage: Stage, entry: _Measured | None, frames: int) -> BenchRow:
    if entry is None:
        return BenchRow(stage.name, stage.detail, left_out=stage.left_out)
    return BenchRow(
        name=stage.name,
        detail=stage.detail,
        seconds=tuple(entry.seconds),
        frames=frames,
        psnr_db=psnr_db(entry.errors),
        peak_mb=entry.peak_mb,
    )


def machine(device: str, job: BenchJob) -> dict[str, str]:
    """Model names and versions; no host names."""
    values = {
        "device": torch.cuda.get_device_name() if device == "cuda" else cpu_model(),
        "cores used": str(job.threads),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "date": datetime.now(UTC).date().isoformat(),
    }
    if device == "cpu":
        import openvino

        core = openvino.Core()
        values["openvino"] = openvino.__version__.split("-")[0]
        values["instructions"] = ", ".join(core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"))
    return values


def cpu_model() -> str:
    """As /proc/cpuinfo names it, or the architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]}, {len(names)} cores" if names else platform.machine()
