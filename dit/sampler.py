"""One sampler for every motion network: x_t = a(t) x0 + b(t) eps, and the network predicts x0.

Steps are DDIM's (Song et al., arXiv 2010.02502) for any a and b:

    eps  = (x_t - a_t x0) / b_t
    x_s  = a_s x0 + sqrt(b_s^2 - sigma^2) eps + sigma z
    sigma                                                     see ``step_sigma``

Flow matching (Lipman et al., arXiv 2210.02747) is a = 1 - t, b = t, eta = 0: the same step is then
Euler's. Published generators with a cosine schedule run with eta = 1.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np

from models.shapes import FloatArray

# (x [B, T, M], t) -> x0 [B, T, M]; condition and context are bound by the caller
Predictor = Callable[[FloatArray, float], FloatArray]
# (index of the step, shape) -> noise of that shape
StepNoise = Callable[[int, tuple[int, ...]], FloatArray]


class Schedule(Protocol):
    """How much signal ``a`` and noise ``b`` a time between 0 (clean) and 1 (noise) holds."""

    def a(self, t: float) -> float:
        """Share of x0."""
        ...

    def b(self, t: float) -> float:
        """Share of noise."""
        ...


@dataclass(frozen=True, slots=True)
class FlowSchedule:
    """Straight lines from noise to motion."""

    def a(self, t: float) -> float:
        return 1.0 - t

    def b(self, t: float) -> float:
        return t


@dataclass(frozen=True, slots=True)
class CosineSchedule:
    """Cosine alpha-bar (Nichol & Dhariwal, arXiv 2102.09672, eq. 17), as a continuous function."""

    offset: float = 0.008

    def alpha_bar(self, t: float) -> float:
        """Squared share of x0."""

        def level(at: float) -> float:
            return math.cos((at + self.offset) / (1 + self.offset) * math.pi / 2) ** 2

        return min(1.0, level(t) / level(0.0))

    def a(self, t: float) -> float:
        return math.sqrt(self.alpha_bar(t))

    def b(self, t: float) -> float:
        return math.sqrt(1.0 - self.alpha_bar(t))


def even_times(steps: int, first: float = 1.0) -> list[float]:
    """``steps + 1`` times from ``first`` down to 0. Raises ValueError below one step."""
    if steps < 1:
        raise ValueError(f"steps is {steps}; accepted: 1 and more")
    return [float(t) for t in np.linspace(first, 0.0, steps + 1)]


def step_sigma(schedule: Schedule, t: float, s: float, eta: float) -> float:
    """Fresh noise of the step from time t down to s: DDIM's eq. 16 times eta, for any a and b."""
    if eta == 0.0 or schedule.b(s) == 0.0:
        return 0.0
    # in terms of the schedule scaled to a^2 + b^2 = 1, where alpha-bar is a^2 / (a^2 + b^2)
    bar_t, bar_s = (schedule.a(u) ** 2 / (schedule.a(u) ** 2 + schedule.b(u) ** 2) for u in (t, s))
    sigma = math.sqrt((1 - bar_s) / (1 - bar_t)) * math.sqrt(max(0.0, 1 - bar_t / bar_s))
    return eta * sigma * math.hypot(schedule.a(s), schedule.b(s))


def sample(
    predict: Predictor,
    noise: FloatArray,
    schedule: Schedule,
    times: Sequence[float],
    *,
    eta: float = 0.0,
    step_noise: StepNoise | None = None,
) -> FloatArray:
    """Walk from ``noise`` [B, T, M] at ``times[0]`` down to ``times[-1]`` -> [B, T, M].

    Raises ValueError when eta asks for fresh noise and no ``step_noise`` gives it, or when the
    times do not fall.
    """
    if any(s >= t for t, s in pairwise(times)):
        raise ValueError(f"times must fall, not {list(times)}")
    x = noise
    for index, (t, s) in enumerate(pairwise(times)):
        x0 = predict(x, t)
        eps = (x - schedule.a(t) * x0) / schedule.b(t)
        sigma = step_sigma(schedule, t, s, eta)
        kept = math.sqrt(max(0.0, schedule.b(s) ** 2 - sigma**2))
        x = (schedule.a(s) * x0 + kept * eps).astype(np.float32)
        if sigma > 0.0:
            if step_noise is None:
                raise ValueError(f"eta {eta} needs step_noise")
            x = x + np.float32(sigma) * step_noise(index, x.shape)
    return x


def guided(both: Predictor, scale: float) -> Predictor:
    """Classifier-free guidance (Ho & Salimans, arXiv 2207.12598).

    ``both`` answers for a batch whose first half has the condition and whose second has none; the
    result answers for the half: none + scale * (with - none).
    """

    def predict(x: FloatArray, t: float) -> FloatArray:
        conditioned, free = np.split(both(np.concatenate([x, x]), t), 2)
        return (free + np.float32(scale) * (conditioned - free)).astype(np.float32)

    return predict
