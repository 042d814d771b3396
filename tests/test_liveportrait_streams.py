"""The pipeline over streams whose order is as wild as their events allow."""

from collections import deque

import numpy as np
import pytest
import torch
from torch import Tensor

from liveportrait.runtime.cuda_graphs import BatchPrograms
from liveportrait.runtime.frame_pipeline import Batch, FramePipeline
from liveportrait.runtime.pinned_ring import RingFullError
from liveportrait.runtime.streams import CpuStreams, CudaStreams, DeviceStreams, streams_for
from models.device import DevicePolicy
from models.shapes import AnyArray, FloatArray
from tests.simulated_streams import SimulatedStreams

FRAME = (2, 2, 3)


def paint(feature: Tensor, x_s: Tensor, x_d: Tensor) -> Tensor:
    """A stand-in network: every input decides about every pixel of its own row."""
    level = feature.flatten(1).sum(dim=1) + 3 * x_s.flatten(1).sum(dim=1)
    level = level + 7 * x_d.flatten(1).sum(dim=1)
    return (level[:, None] + torch.arange(12)).remainder(256).to(torch.uint8).view(-1, *FRAME)


def new_pipeline(streams: DeviceStreams, slots: int = 3) -> FramePipeline:
    inputs = torch.zeros(4, 2), torch.zeros(4, 1, 3), torch.zeros(4, 1, 3)
    programs = BatchPrograms(paint, inputs, streams, sizes=(1, 2, 4))
    programs.prepare()
    return FramePipeline(streams, programs, inputs, FRAME, slots)


def random_batch(
    rng: np.random.Generator, portraits: list[Tensor]
) -> tuple[list[Tensor], FloatArray, FloatArray]:
    count = int(rng.integers(1, 5))
    features = [portraits[i] for i in rng.integers(len(portraits), size=count)]
    x_s, x_d = rng.integers(0, 50, (2, count, 1, 3)).astype(np.float32)
    return features, x_s, x_d


def expected(features: list[Tensor], x_s: FloatArray, x_d: FloatArray) -> AnyArray:
    frames: AnyArray = paint(
        torch.cat(features), torch.from_numpy(x_s), torch.from_numpy(x_d)
    ).numpy()
    return frames


def wrong_frames(streams: DeviceStreams, seed: int, steps: int = 60) -> int:
    """Submit, take and drop batches at random; how many of those taken were not as expected."""
    rng = np.random.default_rng(seed)
    portraits = [torch.full((1, 2), float(7 * i)) for i in range(5)]
    pipeline, wrong = new_pipeline(streams), 0
    under_way: deque[tuple[Batch, AnyArray]] = deque()
    for _ in range(steps):
        if rng.random() < 0.6:
            batch = random_batch(rng, portraits)
            try:
                under_way.append((pipeline.submit(*batch), expected(*batch)))
            except RingFullError:
                assert len(under_way) == len(pipeline.ring)
        elif under_way:
            under_way.rotate(int(rng.integers(len(under_way))))
            ticket, frames = under_way.popleft()
            if rng.random() < 0.7:
                wrong += not np.array_equal(pipeline.view(ticket), frames)
            pipeline.release(ticket)
    for ticket, frames in under_way:
        wrong += not np.array_equal(pipeline.view(ticket), frames)
        pipeline.release(ticket)
    assert pipeline.ring.free == len(pipeline.ring)
    return wrong


@pytest.mark.parametrize("seed", range(40))
def test_frames_are_right_in_any_order_the_events_allow(seed: int) -> None:
    assert wrong_frames(SimulatedStreams(seed), seed) == 0


@pytest.mark.parametrize("stream", ["compute", "copy"])
def test_the_simulation_notices_a_missing_event(stream: str) -> None:
    assert any(wrong_frames(SimulatedStreams(s, (stream,)), s) for s in range(10))


def test_the_cpu_gives_the_same_frames() -> None:
    assert wrong_frames(CpuStreams(), 0) == 0


def test_a_download_runs_beside_the_next_batch() -> None:
    streams = SimulatedStreams(0)
    pipeline = new_pipeline(streams)
    feature, points = torch.ones(1, 2), np.ones((1, 1, 3), np.float32)
    first = pipeline.submit([feature], points, points)
    second = pipeline.submit([feature], points, points)
    assert streams.log == []  # submitting waits for nothing
    while streams.compute.step():  # all computing of both batches, and no download before it
        pass
    assert set(streams.log) == {"compute"}
    assert np.array_equal(pipeline.view(second), pipeline.view(first))


def test_the_third_batch_waits_for_the_first_download() -> None:
    streams = SimulatedStreams(0)
    pipeline = new_pipeline(streams)
    feature, points = torch.ones(1, 2), np.ones((1, 1, 3), np.float32)
    for _ in range(3):
        pipeline.submit([feature], points, points)
    while streams.compute.step():
        pass
    # three pieces a batch: load, compute, stage; the third batch's staging buffer is the first's
    assert streams.log == ["compute"] * 8
    while streams.copy.step():
        pass
    assert streams.compute.step()


def test_a_portrait_is_uploaded_to_its_row_once() -> None:
    streams = CpuStreams()
    pipeline = new_pipeline(streams)
    one, other = torch.full((1, 2), 1.0), torch.full((1, 2), 2.0)
    points = np.zeros((2, 1, 3), np.float32)
    pipeline.release(pipeline.submit([one, other], points, points))
    one.fill_(99)  # a program would not: shows that the row is not read again
    batch = pipeline.submit([one, other], points, points)
    assert pipeline.view(batch)[:, 0, 0, 0].tolist() == [2, 4]
    pipeline.release(batch)
    batch = pipeline.submit([other, one], points, points)
    assert pipeline.view(batch)[:, 0, 0, 0].tolist() == [4, 198]


def test_an_error_in_the_network_leaves_the_slot_free() -> None:
    def broken(*_: Tensor) -> Tensor:
        raise RuntimeError("out of memory")

    inputs = torch.zeros(2, 2), torch.zeros(2, 1, 3), torch.zeros(2, 1, 3)
    streams = CpuStreams()
    programs = BatchPrograms(broken, inputs, streams, sizes=(1,))
    programs.prepare()
    pipeline = FramePipeline(streams, programs, inputs, FRAME, slots=1)
    points = np.zeros((1, 1, 3), np.float32)
    for _ in range(3):
        with pytest.raises(RuntimeError, match="out of memory"):
            pipeline.submit([torch.ones(1, 2)], points, points)
    assert pipeline.ring.free == 1


def test_a_policy_chooses_the_streams() -> None:
    assert isinstance(streams_for(DevicePolicy("cpu")), CpuStreams)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_streams_give_the_same_frames() -> None:
    streams = CudaStreams()
    device = streams.device
    inputs = (
        torch.zeros(4, 2, device=device),
        torch.zeros(4, 1, 3, device=device),
        torch.zeros(4, 1, 3, device=device),
    )

    def paint_there(feature: Tensor, x_s: Tensor, x_d: Tensor) -> Tensor:
        level = feature.sum(dim=1) + 3 * x_s.flatten(1).sum(dim=1) + 7 * x_d.flatten(1).sum(dim=1)
        steps = torch.arange(12, device=device)
        return (level[:, None] + steps).remainder(256).to(torch.uint8).view(-1, *FRAME)

    programs = BatchPrograms(paint_there, inputs, streams, sizes=(1, 2, 4))
    programs.prepare()
    assert not programs.fallbacks
    pipeline = FramePipeline(streams, programs, inputs, FRAME)
    assert streams.host_buffer((1,), torch.uint8).is_pinned()
    rng = np.random.default_rng(0)
    portraits = [torch.full((1, 2), 7.0 * i) for i in range(5)]
    on_device = {id(x): x.to(device) for x in portraits}
    under_way: deque[tuple[Batch, AnyArray]] = deque()
    for _ in range(100):
        features, x_s, x_d = random_batch(rng, portraits)
        if pipeline.ring.free == 0:
            batch, frames = under_way.popleft()
            assert np.array_equal(pipeline.view(batch), frames)
            pipeline.release(batch)
        there = [on_device[id(x)] for x in features]
        under_way.append((pipeline.submit(there, x_s, x_d), expected(features, x_s, x_d)))
