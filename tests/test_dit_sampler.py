"""The one sampler: exact where the answer is known."""

from functools import partial
from itertools import pairwise

import numpy as np
import pytest

from dit.sampler import (
    FlowSchedule,
    Schedule,
    TableSchedule,
    cosine_alpha_bars,
    even_times,
    guided,
    sample,
    step_sigma,
)
from models.shapes import FloatArray

RNG = np.random.default_rng(0)
NOISE = RNG.standard_normal((2, 5, 3)).astype(np.float32)
COSINE = TableSchedule(cosine_alpha_bars(1000))
TRUTH = RNG.standard_normal((2, 5, 3)).astype(np.float32)


@pytest.mark.parametrize("schedule", [FlowSchedule(), COSINE])
@pytest.mark.parametrize("steps", [1, 3, 10])
def test_a_network_that_knows_the_answer_gets_there(schedule: Schedule, steps: int) -> None:
    out = sample(lambda _x, _t: TRUTH, NOISE, schedule, even_times(steps))
    np.testing.assert_allclose(out, TRUTH, atol=1e-5)


def gaussian_x0(x: FloatArray, t: float, schedule: Schedule, spread: float) -> FloatArray:
    """Best guess of x0 ~ N(0, spread^2) from x_t."""
    a, b = schedule.a(t), schedule.b(t)
    return (a * spread**2 / (a**2 * spread**2 + b**2) * x).astype(np.float32)


@pytest.mark.parametrize(
    ("schedule", "eta"),
    [
        (FlowSchedule(), 0.0),
        (COSINE, 0.0),
        (COSINE, 1.0),
        (FlowSchedule(), 1.0),
    ],
)
def test_noise_becomes_the_distribution_that_the_network_knows(
    schedule: Schedule, eta: float
) -> None:
    rng = np.random.default_rng(1)
    noise = rng.standard_normal((1, 20_000, 1)).astype(np.float32)
    out = sample(
        partial(gaussian_x0, schedule=schedule, spread=0.5),
        noise,
        schedule,
        even_times(200, first=0.999),
        eta=eta,
        step_noise=lambda _i, shape: rng.standard_normal(shape).astype(np.float32),
    )
    assert out.std() == pytest.approx(0.5, rel=0.03)


def test_flow_matching_is_eulers_method() -> None:
    schedule, times = FlowSchedule(), even_times(4)
    x = NOISE
    for t, s in pairwise(times):
        velocity = (x - gaussian_x0(x, t, schedule, 2.0)) / t
        x = x + (s - t) * velocity
    out = sample(partial(gaussian_x0, schedule=schedule, spread=2.0), NOISE, schedule, times)
    np.testing.assert_allclose(out, x, atol=1e-5)


def test_full_eta_is_the_posterior_of_the_forward_process() -> None:
    schedule = COSINE
    t, s = 0.6, 0.5
    bar_t, bar_s = schedule.a(t) ** 2, schedule.a(s) ** 2
    posterior = np.sqrt((1 - bar_s) / (1 - bar_t) * (1 - bar_t / bar_s))
    assert step_sigma(schedule, t, s, 1.0) == pytest.approx(posterior)
    assert step_sigma(schedule, t, 0.0, 1.0) == 0.0


def test_guidance_goes_beyond_the_condition() -> None:
    def both(x: FloatArray, _t: float) -> FloatArray:
        half = len(x) // 2
        return np.concatenate([np.full_like(x[:half], 3.0), np.full_like(x[half:], 1.0)])

    assert np.unique(guided(both, 1.5)(NOISE, 1.0)).tolist() == [4.0]
    assert np.unique(guided(both, 0.0)(NOISE, 1.0)).tolist() == [1.0]


def test_times_that_rise_no_steps_and_missing_noise_are_refused() -> None:
    def answer(_x: FloatArray, _t: float) -> FloatArray:
        return TRUTH

    with pytest.raises(ValueError, match="fall"):
        sample(answer, NOISE, FlowSchedule(), [0.5, 0.7])
    with pytest.raises(ValueError, match="steps is 0"):
        even_times(0)
    with pytest.raises(ValueError, match="step_noise"):
        sample(answer, NOISE, COSINE, even_times(3), eta=1.0)


def test_frames_that_are_held_stay_and_lead_the_others() -> None:
    def copies_the_first_frame(x: FloatArray, _t: float) -> FloatArray:
        return np.repeat(x[:, :1], x.shape[1], 1)

    held = TRUTH[:, :2]
    out = sample(copies_the_first_frame, NOISE, COSINE, COSINE.times(50), held=held)
    np.testing.assert_array_equal(out[:, :2], held)
    np.testing.assert_allclose(out[:, 2:], np.repeat(held[:, :1], 3, 1), atol=0.05)


def test_a_table_gives_times_that_are_its_entries() -> None:
    table = TableSchedule(cosine_alpha_bars(50, 1e-4))
    assert [table.entry(t) for t in table.times(50)] == list(range(50, -1, -1))
    assert [table.entry(t) for t in table.times(8)] == [50, 43, 37, 31, 25, 18, 12, 6, 0]
    for steps in (0, 51):
        with pytest.raises(ValueError, match=f"steps is {steps}; accepted: 1 to 50"):
            table.times(steps)


@pytest.mark.parametrize("wrong", [[1.0], [1.0, 0.5, 0.5], [0.9, 0.5], [1.0, 0.5, 0.0]])
def test_what_is_no_table_of_alpha_bars_is_refused(wrong: list[float]) -> None:
    with pytest.raises(ValueError, match="alpha-bars"):
        TableSchedule(np.array(wrong, np.float32))
