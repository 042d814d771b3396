"""Milliseconds per frame of warp and generator, by precision, execution and batch size."""

import gc
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch

from liveportrait.check.context import CheckContext, Stage
from liveportrait.runtime import frame_network
from liveportrait.runtime.cuda_decoder import static_inputs
from liveportrait.runtime.cuda_graphs import BatchPrograms, Execution
from liveportrait.runtime.frame_network import Layout, PrecisionPlan
from liveportrait.runtime.streams import CudaStream, DeviceStreams, streams_for
from models.device import Precision

GFLOP_PER_FRAME = 1233.6  # warp 342.1, generator 891.6, as the networks are written
PEAK_TFLOPS = 790.0  # dense bf16 products as measured on an H200
FLOOR_MS = GFLOP_PER_FRAME / PEAK_TFLOPS  # 1.56 ms
ITERATIONS = 50
REQUIRED_MS = 3.0
_RESERVE_S = 150.0  # left for the stages after this one


def check_timing(context: CheckContext) -> Stage:
    """The table. Its first rows matter most: rows that the budget does not allow are named."""
    rows: list[dict[str, Any]] = []
    skipped: list[str] = []
    networks: dict[tuple[object, ...], frame_network.FrameNetwork] = {}
    streams = streams_for(context.policy("fp32"))
    for case in planned(context):
        if context.remaining_s < _RESERVE_S and rows:
            skipped.append(case.label)
            continue
        try:
            row = _measured(context, streams, networks, case)
        except Exception as error:  # one row, for instance out of memory, is not the table
            skipped.append(f"{case.label}: {type(error).__name__}: {error}".splitlines()[0])
            continue
        rows.append(row)
        figures = f"{row['ms_per_frame']:.2f} ms a frame, {row['tflops']:.0f} TFLOP/s"
        context.say(f"  {case.label}: {figures}")
    candidates = [r for r in rows if r["batch"] == 8 and r["algebra"] and r["precision"] != "fp32"]
    best = min(candidates, key=lambda row: row["ms_per_frame"], default=None)
    if best is not None:
        context.best = best["precision"]
    at_8 = None if best is None else best["ms_per_frame"]
    return {
        "ok": bool(rows),
        "rows": rows,
        "skipped": skipped,
        "ms_per_frame_at_8": at_8,
        "best_at_8": best and f"{best['precision']} {best['execution']}",
        "holds": at_8 is not None and at_8 <= REQUIRED_MS,
    }


class Case(NamedTuple):
    """A row to measure. ``layout`` None: what suits the precision."""

    precision: Precision
    execution: Execution
    algebra: bool
    size: int
    layout: Layout | None = None

    @property
    def label(self) -> str:
        """For people."""
        network = "fast" if self.algebra else "plain"
        layout = "" if self.layout is None else f" {describe_layout(self.layout)}"
        return f"{self.precision} {self.execution} {network}{layout} batch {self.size}"


def describe_layout(layout: Layout) -> str:
    """Which maps have channels innermost."""
    names = [name for name in ("planes", "volumes") if getattr(layout, name)]
    return f"channels last: {' and '.join(names) or 'none'}"


def planned(context: CheckContext) -> list[Case]:
    """What to measure, the most telling first."""
    if context.options.device == "cpu":
        return [Case("fp32", "eager", True, 1), Case("fp32", "eager", False, 1)]
    fp16, bf16 = context.half_precisions
    rest = () if context.options.quick else (4, 2, 16)
    cases = [Case(fp16, "graph", True, 8), Case(fp16, "graph", True, 1)]
    cases += [Case(fp16, "eager", True, 8), Case(fp16, "eager", False, 8)]
    cases += [Case(fp16, "graph", True, size) for size in rest]
    cases += [Case(bf16, "graph", True, size) for size in (8, 1, *rest)]
    cases += [Case(bf16, "eager", True, 8), Case(bf16, "eager", False, 8)]
    cases += [Case("fp32", "graph", True, 8), Case("fp32", "graph", True, 1)]
    cases += [Case("fp32", "eager", False, 1)]
    if context.options.quick:
        return cases
    layouts = Layout(True, False), Layout(False, True), Layout(False, False)
    cases += [Case(fp16, "graph", True, 8, layout) for layout in layouts]
    # compiling takes minutes, so it comes last
    cases += [Case(fp16, "compiled_graph", True, 8), Case(fp16, "compiled", True, 8)]
    cases += [Case(fp16, "eager", True, size) for size in (1, *rest)]
    cases += [Case(fp16, "compiled_graph", True, size) for size in (1, *rest)]
    return cases


def _measured(
    context: CheckContext,
    streams: DeviceStreams,
    networks: dict[tuple[object, ...], frame_network.FrameNetwork],
    case: Case,
) -> dict[str, Any]:
    plan, size = PrecisionPlan.of(context.policy(case.precision), "fast"), case.size
    network = _network(context, networks, case, plan)
    if case.execution in ("compiled", "compiled_graph"):
        torch._dynamo.reset()  # a compiled network counts against the next one's recompilations
    inputs = static_inputs(size, plan.warping, context.device)
    fill_inputs(context, inputs)
    programs = BatchPrograms(network, inputs, streams, (size,), case.execution)
    begun = time.perf_counter()
    programs.prepare()
    prepared_s = time.perf_counter() - begun
    if context.options.device == "cuda":
        torch.cuda.empty_cache()  # what choosing the algorithms took
        torch.cuda.reset_peak_memory_stats(context.device)
    count = ITERATIONS if context.options.device == "cuda" else 1
    times_ms = repeated_ms(streams, lambda: programs.run(size), count)
    median = float(np.median(times_ms))
    return {
        "precision": case.precision,
        "execution": programs.executions[size],
        "fallback": programs.fallbacks.get(size),
        "algebra": case.algebra,
        "layout": describe_layout(case.layout or Layout.of(plan)),
        "batch": size,
        "ms_per_batch": median,
        "ms_per_batch_p95": float(np.percentile(times_ms, 95)),
        "ms_per_frame": median / size,
        "tflops": GFLOP_PER_FRAME * size / median,
        "share_of_floor": FLOOR_MS * size / median,
        "prepared_s": prepared_s,
        "peak_memory_gb": peak_memory_gb(context),
    }


def _network(
    context: CheckContext,
    networks: dict[tuple[object, ...], frame_network.FrameNetwork],
    case: Case,
    plan: PrecisionPlan,
) -> frame_network.FrameNetwork:
    """The network of a case, kept while the precision stays."""
    key = (case.precision, case.algebra, case.layout)
    if key not in networks:
        if any(other[0] != case.precision for other in networks):
            networks.clear()  # the others' memory would count as ours
            gc.collect()
        networks[key] = frame_network.FrameNetwork(
            context.networks, plan, context.device, case.layout, algebra=case.algebra
        )
    return networks[key]


def fill_inputs(context: CheckContext, inputs: tuple[torch.Tensor, ...]) -> None:
    """Golden features and keypoints in every row: zeros would be kinder to the arithmetic."""
    feature = torch.from_numpy(context.golden("net_F")["feature_a_f16"]).float()
    x_s, x_d = context.keypoints()
    for row in range(len(inputs[0])):
        inputs[0][row].copy_(feature[0])
        inputs[1][row].copy_(torch.from_numpy(x_s[0]))
        inputs[2][row].copy_(torch.from_numpy(x_d[row % len(x_d)]))


def repeated_ms(streams: DeviceStreams, work: Callable[[], object], count: int) -> list[float]:
    """Duration of each of ``count`` runs on the compute stream: by CUDA events where there are."""
    stream = streams.compute
    if not isinstance(stream, CudaStream):
        times = []
        for _ in range(count):
            begun = time.perf_counter()
            stream.run(work)
            times.append(1e3 * (time.perf_counter() - begun))
        return times
    for _ in range(5):
        stream.run(work)
    events = [new_event() for _ in range(count + 1)]
    events[0].record(stream.raw)
    for event in events[1:]:
        stream.run(work)
        event.record(stream.raw)
    streams.synchronize()
    return [elapsed_ms(before, after) for before, after in pairwise(events)]


def new_event() -> torch.cuda.Event:
    """An event that notes the time."""
    event: torch.cuda.Event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    return event


def elapsed_ms(before: torch.cuda.Event, after: torch.cuda.Event) -> float:
    """Between two events that have been passed."""
    return float(before.elapsed_time(after))


def peak_memory_gb(context: CheckContext) -> float | None:
    """Largest memory that torch has held since the last reset; None on a CPU."""
    if context.options.device != "cuda":
        return None
    return torch.cuda.max_memory_reserved(context.device) / 2**30
