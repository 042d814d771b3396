"""One window of motion from one window of voice: noise, steps, guidance."""

import numpy as np
import torch

from dit.checkpoint import MotionCheckpoint
from dit.layout import MOTION_CHANNELS, channels_of
from dit.sampler import FlowSchedule, Predictor, even_times, guided, sample
from models.device import CompiledNetwork, DevicePolicy, compile_network
from models.shapes import FloatArray
from models.timing import CONTEXT_FRAMES


class MotionPlanner:
    """Draws motion windows from a checkpoint. Networks are compiled per window length, once."""

    def __init__(self, checkpoint: MotionCheckpoint, policy: DevicePolicy) -> None:
        self._checkpoint, self._policy = checkpoint, policy
        self._compiled: dict[int, CompiledNetwork] = {}
        sampling, parts = checkpoint.sampling, checkpoint.layout.parts
        self._temperature = np.full(MOTION_CHANNELS, sampling.head_temperature, np.float32)
        self._mouth = channels_of(parts.mouth)
        self._temperature[self._mouth] = sampling.mouth_temperature
        # the gain works on distances from a shut mouth, which is not the vector's zero
        self._gain = np.ones(MOTION_CHANNELS, np.float32)
        self._gain[self._mouth] = sampling.mouth_gain
        self._rest = -checkpoint.layout.mean / checkpoint.layout.spread

    def plan(
        self,
        context: FloatArray,
        condition: FloatArray,
        first_frame: int,
        seed: int,
        style: FloatArray | None = None,
        *,
        steps: int | None = None,
    ) -> FloatArray:
        """context: [10, M]; condition: [10 + T, C + 1]; style: [S] of a network that takes one;
        ``steps``: the checkpoint's own when not given;
        the new frames' noise depends on their absolute numbers and the seed -> [T, M] in the
        layout's normalised units."""
        new = len(condition) - len(context)
        sampling = self._checkpoint.sampling
        known = np.ones((len(context), 1), np.float32)
        context = context.copy()
        shown = context[:, self._mouth] - self._rest[self._mouth]
        context[:, self._mouth] = self._rest[self._mouth] + sampling.mouth_memory * shown
        noise = frame_noise(first_frame, new, seed) * self._temperature
        predict = self._predictor(np.concatenate([context, known], 1), condition, style)
        schedule, times = FlowSchedule(), even_times(steps or sampling.steps)
        planned: FloatArray = sample(predict, noise[None], schedule, times)[0]
        return planned

    def amplified(self, vectors: FloatArray) -> FloatArray:
        """Undo the flattening of low temperature: the mouth's way from rest times its gain."""
        return ((vectors - self._rest) * self._gain + self._rest).astype(np.float32)

    def _predictor(
        self, context: FloatArray, condition: FloatArray, style: FloatArray | None
    ) -> Predictor:
        """The network with context [10, M + 1], condition [10 + T, C + 1] and style [S] bound."""
        scale = self._checkpoint.sampling.guidance
        batch = 1 if scale == 1.0 else 2
        contexts = np.repeat(context[None], batch, 0)
        conditions = np.zeros((batch, *condition.shape), np.float32)
        conditions[0] = condition  # the second, if any, stays without a voice
        network = self._network(batch, len(condition) - len(context))
        bound = [conditions, contexts]
        if channels := self._checkpoint.network.config.style_channels:
            styles = np.zeros((batch, channels + 1), np.float32)  # unknown
            if style is not None:
                styles[:] = np.append(style, 1.0)
            bound.append(styles)

        def predict(x: FloatArray, t: float) -> FloatArray:
            return network(x, np.full(len(x), t, np.float32), *bound)

        return predict if batch == 1 else guided(predict, scale)

    def _network(self, batch: int, new: int) -> CompiledNetwork:
        if new not in self._compiled:
            config = self._checkpoint.network.config
            examples: tuple[torch.Tensor, ...] = (
                torch.zeros(batch, new, MOTION_CHANNELS),
                torch.ones(batch),
                torch.zeros(batch, CONTEXT_FRAMES + new, config.condition_channels + 1),
                torch.zeros(batch, CONTEXT_FRAMES, MOTION_CHANNELS + 1),
            )
            if config.style_channels:
                examples = (*examples, torch.zeros(batch, config.style_channels + 1))
            self._compiled[new] = compile_network(
                self._checkpoint.network, examples, self._policy, f"motion-{new}"
            )
        return self._compiled[new]


_WORD = 0xFFFFFFFFFFFFFFFF  # a warm-up begins before frame 0


def frame_noise(
    first_frame: int, frames: int, seed: int, channels: int = MOTION_CHANNELS
) -> FloatArray:
    """Noise [T, M] of absolute frames: the same frame and seed always give the same numbers."""
    rows = [
        np.random.Generator(
            np.random.Philox(
                key=seed & _WORD, counter=np.array((0, 0, 0, frame & _WORD), np.uint64)
            )
        ).standard_normal(channels, np.float32)
        for frame in range(first_frame, first_frame + frames)
    ]
    return np.stack(rows)
