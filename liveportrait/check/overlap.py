"""Do copies run under computing? Measured by events on both streams, and by torch's profiler.

The events are there on every CUDA machine; the profiler needs a driver that lets itself be
traced. The last copy has nothing after it to run under, and is left out of the share.
"""

import gzip
import json
import tempfile
import time
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
import torch

from liveportrait.check.context import CheckContext, Stage
from liveportrait.check.intervals import Span, hidden_share
from liveportrait.check.paths import new_decoder
from liveportrait.check.timing import elapsed_ms, new_event
from liveportrait.runtime.cuda_decoder import CudaDecoder, Ticket
from liveportrait.runtime.streams import CudaStream, Event, Work
from models.device import Precision
from models.shapes import FloatArray

REQUIRED_SHARE = 0.9
Batch = tuple[list[torch.Tensor], FloatArray, FloatArray]


class TimedStream:
    """Around a CUDA stream: notes when each piece of work began and ended."""

    def __init__(self, stream: CudaStream) -> None:
        self.inner, self.raw = stream, stream.raw
        self.marks: list[tuple[torch.cuda.Event, torch.cuda.Event]] = []

    def run(self, work: Work) -> None:
        begin, end = new_event(), new_event()
        begin.record(self.raw)
        self.inner.run(work)
        end.record(self.raw)
        self.marks.append((begin, end))

    def record(self) -> Event:
        return self.inner.record()

    def wait_for(self, event: Event) -> None:
        self.inner.wait_for(event)

    def spans(self, origin: torch.cuda.Event) -> list[Span]:
        """Milliseconds after ``origin``, once all is done."""
        return [(elapsed_ms(origin, begin), elapsed_ms(origin, end)) for begin, end in self.marks]


def check_overlap(context: CheckContext) -> Stage:
    """Batches in a pipeline: frames per second with downloads, and where the downloads ran."""
    cuda = context.options.device == "cuda"
    size = 8 if cuda else 1
    precision: Precision = context.best or ("fp16" if cuda else "fp32")
    decoder = new_decoder(context, precision, (size,))
    x_s, x_d = context.keypoints()
    features = decoder.features(context.image("img_a_256")[None])
    batch = (features * size, np.repeat(x_s, size, axis=0), np.resize(x_d, (size, *x_d.shape[1:])))
    stage: Stage = {"ok": True, "precision": precision, "batch": size}
    stage["pipelined_ms_per_frame"] = _pipelined_ms(decoder, batch, 50 if cuda else 1)
    context.say(f"  with downloads: {stage['pipelined_ms_per_frame']:.2f} ms a frame")
    if not cuda:
        stage["holds"] = None
        stage["note"] = "a CPU has no streams: nothing to overlap"
        return stage
    stage["hidden_share_events"] = _share_by_events(decoder, batch)
    context.say(f"  share of copies under computing, by events: {stage['hidden_share_events']}")
    try:
        stage |= _share_by_profiler(decoder, batch, context.options.out)
        context.say(f"  by the profiler: {stage['hidden_share_trace']}")
    except Exception as error:  # a machine may forbid tracing; the events remain
        stage["trace_error"] = f"{type(error).__name__}: {error}"
        context.say(f"  no trace: {stage['trace_error']}")
    share = stage.get("hidden_share_trace") or stage["hidden_share_events"]
    stage["hidden_share"] = share
    stage["holds"] = share is not None and share >= REQUIRED_SHARE
    return stage


def _pipeline(decoder: CudaDecoder, batch: Batch, count: int) -> None:
    """Submit batches two ahead and look at each result."""
    under_way: deque[Ticket] = deque()
    for _ in range(count):
        if len(under_way) == 2:
            decoder.discard(_waited(decoder, under_way.popleft()))
        under_way.append(decoder.submit(*batch))
    for ticket in under_way:
        decoder.discard(_waited(decoder, ticket))


def _waited(decoder: CudaDecoder, ticket: Ticket) -> Ticket:
    for part in ticket.batches:
        decoder.pipeline.view(part)
    return ticket


def _pipelined_ms(decoder: CudaDecoder, batch: Batch, count: int) -> float:
    if count > 1:
        _pipeline(decoder, batch, 3)
    begun = time.perf_counter()
    _pipeline(decoder, batch, count)
    return 1e3 * (time.perf_counter() - begun) / (count * len(batch[0]))


def _share_by_events(decoder: CudaDecoder, batch: Batch) -> float | None:
    streams: Any = decoder.pipeline.streams
    compute, copy = streams.compute, streams.copy
    streams.compute, streams.copy = TimedStream(compute), TimedStream(copy)
    try:
        origin = new_event()
        origin.record(compute.raw)
        _pipeline(decoder, batch, 12)
        streams.synchronize()
        return hidden_share(streams.copy.spans(origin)[:-1], streams.compute.spans(origin))
    finally:
        streams.compute, streams.copy = compute, copy


def _share_by_profiler(decoder: CudaDecoder, batch: Batch, out: Path) -> dict[str, Any]:
    activities = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=activities) as profile:
        _pipeline(decoder, batch, 12)
        torch.cuda.synchronize()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        profile.export_chrome_trace(str(path))
        trace = path.read_bytes()
    (out / "trace.json.gz").write_bytes(gzip.compress(trace, 6))
    return analysed(json.loads(trace)["traceEvents"])


def analysed(events: list[dict[str, Any]]) -> dict[str, Any]:
    """Downloads and kernels of a chrome trace; times there are microseconds."""
    copies, kernels, streams = [], [], set()
    for event in events:
        if event.get("ph") != "X":
            continue
        span = (float(event["ts"]), float(event["ts"]) + float(event["dur"]))
        if event.get("cat") == "gpu_memcpy" and "DtoH" in event["name"]:
            copies.append(span)
            streams.add(("copy", event["args"].get("stream")))
        elif event.get("cat") == "kernel":
            kernels.append(span)
            streams.add(("compute", event["args"].get("stream")))
    copies.sort()
    return {
        "hidden_share_trace": hidden_share(copies[:-1], kernels),
        "copies": len(copies),
        "copy_ms": sum(end - begin for begin, end in copies) / 1e3,
        "kernels": len(kernels),
        "trace_streams": sorted(map(list, streams), key=str),
    }
