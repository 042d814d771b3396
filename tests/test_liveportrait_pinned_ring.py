"""Leases of the host ring: bounded, exclusive, and closed once given back."""

import threading
from functools import partial

import numpy as np
import pytest
import torch

from liveportrait.runtime.pinned_ring import Lease, PinnedRing, RingFullError, StaleLeaseError
from liveportrait.runtime.streams import CpuStreams
from tests.simulated_streams import SimulatedStreams

LAYOUT = {"frames": ((2, 3), torch.uint8), "points": ((4,), torch.float32)}


def test_buffers_have_the_layout() -> None:
    ring = PinnedRing(CpuStreams(), LAYOUT, slots=2)
    buffers = ring.buffers(ring.acquire())
    assert {n: (tuple(x.shape), x.dtype) for n, x in buffers.items()} == LAYOUT
    assert len(ring) == 2
    assert ring.free == 1


def test_it_is_bounded() -> None:
    ring = PinnedRing(CpuStreams(), LAYOUT, slots=2)
    first, second = ring.acquire(), ring.acquire()
    assert ring.buffers(first)["frames"] is not ring.buffers(second)["frames"]
    with pytest.raises(RingFullError, match="all 2 slots"):
        ring.acquire()
    ring.release(first)
    assert ring.acquire().slot == first.slot


def test_a_lease_opens_nothing_after_its_release() -> None:
    ring = PinnedRing(CpuStreams(), LAYOUT, slots=1)
    old = ring.acquire()
    ring.release(old)
    new = ring.acquire()
    assert new.slot == old.slot
    event = CpuStreams().compute.record()
    for use in (
        ring.buffers,
        ring.read,
        ring.release,
        ring.done,
        lambda lease: ring.publish(lease, event),
    ):
        with pytest.raises(StaleLeaseError):
            use(old)
    with pytest.raises(StaleLeaseError):
        ring.buffers(Lease(0, new.token + 1))
    ring.publish(new, event)
    assert ring.done(new)


def test_reading_needs_publishing() -> None:
    ring = PinnedRing(CpuStreams(), LAYOUT, slots=1)
    lease = ring.acquire()
    assert not ring.done(lease)
    with pytest.raises(RuntimeError, match="not published"):
        ring.read(lease)


def test_no_slots_is_an_error() -> None:
    with pytest.raises(ValueError, match="0 slots"):
        PinnedRing(CpuStreams(), LAYOUT, slots=0)


def test_a_slot_given_back_early_is_handed_out_when_the_device_has_left_it() -> None:
    streams = SimulatedStreams(0)
    ring = PinnedRing(streams, LAYOUT, slots=1)
    lease = ring.acquire()
    points = ring.buffers(lease)["points"]
    points.fill_(1)
    seen: list[float] = []
    streams.compute.run(lambda: seen.append(float(points[0])))
    ring.publish(lease, streams.compute.record())
    ring.release(lease)
    assert seen == []
    ring.buffers(ring.acquire())["points"].fill_(2)
    assert seen == [1.0]


@pytest.mark.parametrize("seed", range(20))
def test_random_use_never_shares_a_slot(seed: int) -> None:
    rng = np.random.default_rng(seed)
    streams = SimulatedStreams(seed)
    ring = PinnedRing(streams, LAYOUT, slots=3)
    held: dict[Lease, int] = {}
    gone: list[Lease] = []
    for number in range(1, 200):
        action = rng.integers(4)
        if action <= 1:
            if len(held) == 3:
                with pytest.raises(RingFullError):
                    ring.acquire()
                continue
            lease = ring.acquire()
            assert lease.slot not in {other.slot for other in held}
            frames = ring.buffers(lease)["frames"]
            value = number % 256
            streams.copy.run(partial(frames.fill_, value))
            ring.publish(lease, streams.copy.record())
            held[lease] = value
        elif held:
            lease = list(held)[int(rng.integers(len(held)))]
            value = held.pop(lease)
            if action == 2:
                assert set(ring.read(lease)["frames"].flatten().tolist()) == {value}
            ring.release(lease)
            gone.append(lease)
        for lease in gone[-5:]:
            with pytest.raises(StaleLeaseError):
                ring.read(lease)
    assert ring.free == 3 - len(held)


def test_threads_take_and_return_slots() -> None:
    ring = PinnedRing(CpuStreams(), LAYOUT, slots=4)
    event = CpuStreams().copy.record()
    faults: list[str] = []

    def use(mark: int) -> None:
        for _ in range(200):
            lease = ring.acquire()
            ring.buffers(lease)["frames"].fill_(mark)
            ring.publish(lease, event)
            if set(ring.read(lease)["frames"].flatten().tolist()) != {mark}:
                faults.append(f"slot {lease.slot} was shared")
            ring.release(lease)

    threads = [threading.Thread(target=use, args=(mark,)) for mark in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert ring.free == 4
