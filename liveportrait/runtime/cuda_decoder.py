"""The real-time decoder: many sessions' frames in one batch, on CUDA.

One thread submits batches and takes results; the device is never waited for in between
(``frame_pipeline.py``). The same code runs on a CPU, step by step, for tests and dry runs.
"""

import copy
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from liveportrait.animation.keypoints import KeypointInfo
from liveportrait.animation.retargeters import Retargeters, TorchRetargeters
from liveportrait.networks.networks import Networks
from liveportrait.runtime.cuda_graphs import (
    BATCH_SIZES,
    BatchPrograms,
    Execution,
    convolution_settings,
)
from liveportrait.runtime.decoder import (
    Quality,
    SourceFeatures,
    frame_count,
    keypoint_info,
    network_input,
)
from liveportrait.runtime.frame_network import FrameNetwork, Layout, PrecisionPlan
from liveportrait.runtime.frame_pipeline import Batch, FramePipeline
from liveportrait.runtime.pinned_ring import RingFullError
from liveportrait.runtime.streams import DeviceStreams, streams_for
from models.device import DevicePolicy
from models.shapes import KEYPOINTS, AnyArray, FloatArray, Image

_T = TypeVar("_T")
FRAME_SHAPE = (512, 512, 3)
FEATURE_SHAPE = (32, 16, 64, 64)


@dataclass(frozen=True, slots=True)
class Ticket:
    """Frames that were submitted; good for one ``result`` of the decoder that gave it."""

    batches: tuple[Batch, ...]


@dataclass(frozen=True, slots=True)
class CudaOptions:
    """How the decoder runs; the defaults are for a server.

    ``slots``: batches that may be under way or unread. ``compiled_graph`` fuses pixelwise work,
    for a minute or more of compiling at each start and a C compiler on the machine.
    """

    sizes: tuple[int, ...] = BATCH_SIZES
    execution: Execution = "graph"
    slots: int = 3
    layout: Layout | None = None  # what suits the precision
    algebra: bool = True


class CudaDecoder:
    """``FrameDecoder`` for CUDA, with ``submit`` and ``result`` for who has more to do meanwhile.

    Fast keeps weights and activations in the policy's precision; quality keeps float32 without
    TF32. Every batch size is prepared here, before the first frame. Not for two threads at once;
    the views of ``reading`` may be used in any thread.
    """

    def __init__(
        self,
        networks: Networks,
        policy: DevicePolicy,
        quality: Quality = "fast",
        options: CudaOptions | None = None,
        *,
        streams: DeviceStreams | None = None,
        plan: PrecisionPlan | None = None,
    ) -> None:
        options = options or CudaOptions()
        self.plan = plan or PrecisionPlan.of(policy, quality)
        self._streams = streams or streams_for(policy)
        device = self._streams.device
        # on the CPU: small enough there, and their answer would otherwise have to be waited for
        self._retargeters = TorchRetargeters(copy.deepcopy(networks.retargeting))
        self._appearance = copy.deepcopy(networks.appearance).to(device)
        self._motion = copy.deepcopy(networks.motion).to(device)
        self.network = FrameNetwork(
            networks, self.plan, device, options.layout, algebra=options.algebra
        )
        inputs = static_inputs(max(options.sizes), self.plan.warping, device)
        self.programs = BatchPrograms(
            self.network,
            inputs,
            self._streams,
            options.sizes,
            options.execution,
        )
        self.programs.prepare()
        self.pipeline = FramePipeline(
            self._streams, self.programs, inputs, FRAME_SHAPE, options.slots
        )

    @property
    def retargeters(self) -> Retargeters:
        return self._retargeters

    @property
    def max_batch(self) -> int:
        """Frames that one program computes at once; more are split."""
        return self.pipeline.max_batch

    def features(self, images: Image) -> list[SourceFeatures]:
        """Volumes [1, 32, 16, 64, 64] that stay on the device, in the plan's precision."""
        return self._waited(
            # a clone each, so that a portrait that goes frees its memory
            lambda: [
                volume.to(self.plan.warping).clone()
                for volume in self._appearance(self._upload(images)).split(1)
            ]
        )

    def motion(self, images: Image) -> KeypointInfo:
        return self._waited(lambda: keypoint_info(self._motion(self._upload(images))))

    def decode(self, sources: Sequence[SourceFeatures], x_s: FloatArray, x_d: FloatArray) -> Image:
        frames = np.empty((frame_count(sources, x_s, x_d), *FRAME_SHAPE), np.uint8)
        under_way: deque[tuple[slice, Batch]] = deque()
        try:
            for rows, features, source, driving in self._parts(sources, x_s, x_d):
                if self.pipeline.ring.free == 0:
                    self._take_oldest(under_way, frames)
                under_way.append((rows, self.pipeline.submit(features, source, driving)))
            while under_way:
                self._take_oldest(under_way, frames)
        finally:  # after an error, nobody will take these
            for _, batch in under_way:
                self.pipeline.release(batch)
        return frames

    def submit(self, sources: Sequence[SourceFeatures], x_s: FloatArray, x_d: FloatArray) -> Ticket:
        """Queue what ``decode`` would compute, and return at once.

        Raises RingFullError when results must be taken first; nothing is queued then.
        """
        needed = -(-frame_count(sources, x_s, x_d) // self.max_batch)
        if needed > self.pipeline.ring.free:
            raise RingFullError(
                f"{needed} slots are needed, {self.pipeline.ring.free} of "
                f"{len(self.pipeline.ring)} are free"
            )
        return Ticket(
            tuple(
                self.pipeline.submit(features, source, driving)
                for _, features, source, driving in self._parts(sources, x_s, x_d)
            )
        )

    def done(self, ticket: Ticket) -> bool:
        """Whether ``result`` would return at once."""
        return all(map(self.pipeline.done, ticket.batches))

    def result(self, ticket: Ticket) -> Image:
        """Wait for the frames, uint8 [B, 512, 512, 3]. Raises StaleLeaseError the second time."""
        with self.reading(ticket) as parts:
            return np.concatenate(parts) if len(parts) > 1 else parts[0].copy()

    @contextmanager
    def reading(self, ticket: Ticket) -> Iterator[list[AnyArray]]:
        """The frames where the device has put them, batch by batch, for the time of the block."""
        try:
            yield [self.pipeline.view(batch) for batch in ticket.batches]
        finally:
            self.discard(ticket)

    def discard(self, ticket: Ticket) -> None:
        """Give up frames that nobody wants any more."""
        for batch in ticket.batches:
            self.pipeline.release(batch)

    def _take_oldest(self, under_way: deque[tuple[slice, Batch]], frames: Image) -> None:
        if not under_way:
            raise RingFullError("every slot holds results that were submitted and not taken")
        rows, batch = under_way[0]
        frames[rows] = self.pipeline.view(batch)
        self.pipeline.release(under_way.popleft()[1])

    def _upload(self, images: Image) -> Tensor:
        return network_input(np.require(images, requirements=["C", "W"])).to(self._streams.device)

    def _waited(self, work: Callable[[], _T]) -> _T:
        """The result of networks in full float32, on the compute stream; not for the frame loop."""
        results: list[_T] = []

        def run() -> None:
            with torch.inference_mode(), convolution_settings(tf32=False, tune=False):
                results.append(work())

        self._streams.compute.run(run)
        self._streams.compute.record().wait()
        return results[0]

    def _parts(
        self, sources: Sequence[SourceFeatures], x_s: FloatArray, x_d: FloatArray
    ) -> Iterator[tuple[slice, list[Tensor], FloatArray, FloatArray]]:
        """Batches that fit, each with one source and source keypoints for every frame."""
        count = len(x_d)
        everyone = list(sources) * (count if len(sources) == 1 else 1)
        x_s = np.broadcast_to(x_s, x_d.shape)
        for start in range(0, count, self.max_batch):
            rows = slice(start, min(start + self.max_batch, count))
            yield rows, everyone[rows], x_s[rows], x_d[rows]


def static_inputs(
    batch: int, dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """Zeros for features [B, 32, 16, 64, 64], x_s and x_d [B, K, 3]."""
    feature = torch.zeros((batch, *FEATURE_SHAPE), dtype=dtype, device=device)
    x_s = torch.zeros((batch, KEYPOINTS, 3), device=device)
    return feature, x_s, torch.zeros_like(x_s)
