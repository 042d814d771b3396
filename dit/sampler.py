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
class TableSchedule:
    """A published network's alpha-bars: n steps, of which time t is number ``round(t * n)``.

    Raises ValueError unless the table falls from 1 and stays above zero.
    """

    alpha_bars: FloatArray  # [n + 1], squared shares of x0; 1 at entry 0

    def __post_init__(self) -> None:
        falls = bool((np.diff(self.alpha_bars) < 0).all())
        if len(self.alpha_bars) < 2 or self.alpha_bars[0] != 1 or not falls:
            raise ValueError("alpha-bars are not a table that falls from 1")
        if not self.alpha_bars[-1] > 0:
            raise ValueError("alpha-bars end at zero; accepted: above zero")

    def entry(self, t: float) -> int:
        """The step's number, 0 (clean) to n."""
        return round(t * (len(self.alpha_bars) - 1))

    def a(self, t: float) -> float:
        return math.sqrt(self.alpha_bars[self.entry(t)])

    def b(self, t: float) -> float:
        return math.sqrt(1.0 - self.alpha_bars[self.entry(t)])

    def times(self, steps: int) -> list[float]:
        """``steps + 1`` times from 1 down to 0, all of them entries of the table.

        Raises ValueError below one step and above n.
        """
        last = len(self.alpha_bars) - 1
        if not 1 <= steps <= last:
            raise ValueError(f"steps is {steps}; accepted: 1 to {last}")
        entries = np.floor(np.linspace(0, last, steps + 1))[::-1]
        return [float(entry / last) for entry in entries]


def cosine_alpha_bars(
    steps: int, least_beta: float = 0.0, most_beta: float = 0.999, offset: float = 0.008
) -> FloatArray:
    """Cosine alpha-bars [steps + 1] (Nichol & Dhariwal, arXiv 2102.09672, eq. 17), as published
    networks compute them: betas are limited, and their product is the table."""
    level = np.cos((np.arange(steps + 1) / steps + offset) / (1 + offset) * np.pi / 2) ** 2
    betas = np.clip(1 - level[1:] / level[:-1], least_beta, most_beta)
    return np.concatenate([[1.0], np.cumprod(1 - betas)]).astype(np.float32)


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
    held: FloatArray | None = None,
) -> FloatArray:
    """Walk from ``noise`` [B, T, M] at ``times[0]`` down to ``times[-1]`` -> [B, T, M].

    ``held`` [B, k, M]: the first k frames are known. Before every step they are put back with the
    noise of its time, so that the others grow to fit (imputation: Song et al., arXiv 2011.13456,
    app. I.2); a network that was never trained to go on from k frames does so all the same.

    Raises ValueError when eta asks for fresh noise and no ``step_noise`` gives it, or when the
    times do not fall.
    """
    if any(s >= t for t, s in pairwise(times)):
        raise ValueError(f"times must fall, not {list(times)}")
    x = noise.copy()
    known = 0 if held is None else held.shape[1]
    for index, (t, s) in enumerate(pairwise(times)):
        if held is not None:
            x[:, :known] = schedule.a(t) * held + schedule.b(t) * noise[:, :known]
        x0 = predict(x, t)
        eps = (x - schedule.a(t) * x0) / schedule.b(t)
        sigma = step_sigma(schedule, t, s, eta)
        kept = math.sqrt(max(0.0, schedule.b(s) ** 2 - sigma**2))
        x = (schedule.a(s) * x0 + kept * eps).astype(np.float32)
        if sigma > 0.0:
            if step_noise is None:
                raise ValueError(f"eta {eta} needs step_noise")
            x = x + np.float32(sigma) * step_noise(index, x.shape)
    if held is not None:
        x[:, :known] = held
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
