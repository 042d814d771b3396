"""Batches on their way through the device: upload, compute, download, none waiting for another.

For each batch the host queues, without waiting for anything:

1. compute stream: gather the portraits' features and the keypoints into the static inputs,
   run the program of the batch size, copy its output into one of two staging buffers;
2. copy stream, after that: staging buffer to the pinned slot of the ring.

The next batch's program is queued behind the first at once, so its kernels run while the copy
does. Who must wait for whom: a staging buffer is written again only after its last download (an
event from copy to compute); a slot is written again only by who holds its lease. Static inputs
need no event: they are read and written on the compute stream alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from liveportrait.runtime.cuda_graphs import BatchPrograms
from liveportrait.runtime.pinned_ring import Lease, PinnedRing
from liveportrait.runtime.streams import DeviceStreams, Event
from models.shapes import AnyArray, FloatArray

STAGING_BUFFERS = 2


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch under way."""

    lease: Lease
    frames: int


@dataclass(slots=True)
class _Staging:
    buffer: Tensor
    downloaded: Event | None = None


class FramePipeline:
    """Batches of up to the largest prepared size. Not for two threads at once.

    ``feature``, ``x_s`` and ``x_d`` are the static inputs that ``programs`` reads; ``frame_shape``
    is the shape of one uint8 output frame.
    """

    def __init__(
        self,
        streams: DeviceStreams,
        programs: BatchPrograms,
        inputs: tuple[Tensor, Tensor, Tensor],
        frame_shape: tuple[int, ...],
        slots: int = 3,
    ) -> None:
        self.streams, self._programs = streams, programs
        self._feature, self._x_s, self._x_d = inputs
        self.max_batch = programs.sizes[-1]
        frames = (self.max_batch, *frame_shape)
        points = (self.max_batch, *self._x_s.shape[1:])
        self.ring = PinnedRing(
            streams,
            {
                "frames": (frames, torch.uint8),
                "x_s": (points, torch.float32),
                "x_d": (points, torch.float32),
            },
            slots,
        )
        self._staging = [
            _Staging(torch.zeros(frames, dtype=torch.uint8, device=streams.device))
            for _ in range(STAGING_BUFFERS)
        ]
        self._turn = 0
        # whose features each row holds: sessions come back in the same order, frame after frame
        self._rows: list[Tensor | None] = [None] * self.max_batch
        streams.synchronize()

    def submit(self, features: Sequence[Tensor], x_s: FloatArray, x_d: FloatArray) -> Batch:
        """Queue one batch: B feature volumes [1, ...] on the device, keypoints [B, K, 3].

        Raises RingFullError, and ValueError for more frames than fit.
        """
        count = len(features)
        size = self._programs.fitting(count)
        lease = self.ring.acquire()
        try:
            done = self._queue(self.ring.buffers(lease), features, x_s, x_d, size)
        except BaseException:
            # something may be queued that still reads or writes the slot
            self._rows = [None] * self.max_batch
            self.streams.synchronize()
            self.ring.release(lease)
            raise
        self.ring.publish(lease, done)
        return Batch(lease, count)

    def done(self, batch: Batch) -> bool:
        """Whether ``view`` would return at once."""
        return self.ring.done(batch.lease)

    def view(self, batch: Batch) -> AnyArray:
        """Wait for the frames, uint8 [B, ...]: the slot itself, valid until ``release``."""
        frames: AnyArray = self.ring.read(batch.lease)["frames"].numpy()[: batch.frames]
        return frames

    def release(self, batch: Batch) -> None:
        """Give the slot back, taken or not."""
        self.ring.release(batch.lease)

    def _queue(
        self,
        slot: dict[str, Tensor],
        features: Sequence[Tensor],
        x_s: FloatArray,
        x_d: FloatArray,
        size: int,
    ) -> Event:
        count, compute, copy = len(features), self.streams.compute, self.streams.copy
        slot["x_s"].numpy()[:count] = x_s
        slot["x_d"].numpy()[:count] = x_d
        staging = self._staging[self._turn]
        self._turn = (self._turn + 1) % len(self._staging)
        compute.run(lambda: self._load(slot, features))
        output: list[Any] = []
        compute.run(lambda: output.append(self._programs.run(size)))
        if staging.downloaded is not None:
            compute.wait_for(staging.downloaded)
        compute.run(lambda: staging.buffer[:count].copy_(output.pop()[:count]))
        copy.wait_for(compute.record())
        copy.run(lambda: slot["frames"][:count].copy_(staging.buffer[:count], non_blocking=True))
        staging.downloaded = copy.record()
        return staging.downloaded

    def _load(self, slot: dict[str, Tensor], features: Sequence[Tensor]) -> None:
        """Fill the static inputs; rows beyond the batch keep what they had, and are dropped."""
        count = len(features)
        for row, feature in enumerate(features):
            if self._rows[row] is not feature:
                self._feature[row].copy_(feature[0])
                self._rows[row] = feature
        self._x_s[:count].copy_(slot["x_s"][:count], non_blocking=True)
        self._x_d[:count].copy_(slot["x_d"][:count], non_blocking=True)
