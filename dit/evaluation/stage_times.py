"""What each stage of a live stream costs on this machine, one hop at a time."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dit.generator import MotionGenerator
from models.shapes import FloatArray
from models.timing import CONTEXT_FRAMES, DEFAULT_HOP_FRAMES, SAMPLES_PER_FRAME

HOPS, WARM_UP_HOPS = 40, 5
SEED = 7


@dataclass(frozen=True, slots=True)
class StageTimes:
    """Median milliseconds a hop; ``hop_frames`` of motion come out of each."""

    hop_frames: int
    encoder_ms: float
    planner_ms: float
    compose_ms: float  # cross-fade, mouth gate, blinks, controls: what is left of a push


def measure_stages(generator: MotionGenerator) -> StageTimes:
    """Push a voice hop by hop through the encoder alone, and through the whole stream."""
    hop = max(DEFAULT_HOP_FRAMES, generator.encoder.window.hop_frames)
    samples = hop * SAMPLES_PER_FRAME
    rng = np.random.default_rng(SEED)
    voice = (0.1 * rng.standard_normal((HOPS + WARM_UP_HOPS) * samples)).astype(np.float32)
    packets = np.split(voice, HOPS + WARM_UP_HOPS)
    encoder = generator.encoder.start()
    encoder_ms = _median_ms(encoder.push, packets)
    stream = generator.start(mode="live", seed=SEED, hop_frames=hop)
    whole_ms = _median_ms(stream.push, packets)
    planner_ms = _median_ms(_plan_of(generator, stream.planned_frames), packets)
    return StageTimes(hop, encoder_ms, planner_ms, max(0.0, whole_ms - encoder_ms - planner_ms))


def _plan_of(generator: MotionGenerator, frames: int) -> Callable[[FloatArray], object]:
    """Planning one hop, whatever is said: the time does not depend on it."""
    channels = generator.checkpoint.network.config.condition_channels + 1
    condition = np.ones((CONTEXT_FRAMES + frames, channels), np.float32)
    context = np.zeros((CONTEXT_FRAMES, len(generator.checkpoint.layout.mean)), np.float32)
    return lambda _: generator.planner.plan(context, condition, 0, SEED)


def _median_ms(push: Callable[[FloatArray], object], packets: list[FloatArray]) -> float:
    taken = []
    for packet in packets:
        start = time.perf_counter()
        push(packet)
        taken.append(time.perf_counter() - start)
    return 1000 * float(np.median(taken[WARM_UP_HOPS:]))
