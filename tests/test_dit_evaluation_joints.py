"""A step at every hop shows; a slow wander of the whole stream shows."""

import numpy as np
import pytest

from dit.evaluation.joints import FRAMES_PER_MINUTE, border_ratios, drift
from models.motion import Motion, rest
from models.shapes import FloatArray


def nodding(yaw: FloatArray) -> Motion:
    still = rest(len(yaw))
    still.exp[:, 5, 1] = yaw
    return Motion(still.pitch, yaw, still.roll, still.t, still.scale, still.exp)


def test_smooth_motion_has_no_borders() -> None:
    walk = np.cumsum(np.random.default_rng(0).standard_normal(20_000)).astype(np.float32)
    ratios = border_ratios(nodding(walk), 5)
    assert ratios.borders == 3999
    for ratio in (ratios.head_velocity, ratios.head_acceleration, ratios.mouth_velocity):
        assert ratio == pytest.approx(1.0, abs=0.05)


def test_a_step_at_every_hop_shows_in_velocity_and_acceleration() -> None:
    stairs = np.repeat(np.arange(20), 5).astype(np.float32) + 0.01 * np.sin(np.arange(100))
    ratios = border_ratios(nodding(stairs.astype(np.float32)), 5)
    assert ratios.head_velocity > 20
    assert ratios.head_acceleration > 20
    assert ratios.mouth_velocity > 20


def test_a_kink_without_a_step_shows_in_acceleration() -> None:
    kinked = np.interp(np.arange(200), np.arange(0, 201, 5) - 0.5, np.arange(41) % 2)
    ratios = border_ratios(nodding(kinked.astype(np.float32)), 5)
    assert ratios.head_acceleration > 5


def test_still_faces_and_single_hops_have_no_ratio() -> None:
    assert np.isnan(border_ratios(rest(50), 5).head_velocity)
    assert np.isnan(border_ratios(nodding(np.arange(4, dtype=np.float32)), 5).head_velocity)


def test_drift_is_the_slope_of_the_minutes() -> None:
    minutes = np.arange(3 * FRAMES_PER_MINUTE) / FRAMES_PER_MINUTE
    found = drift(nodding((0.5 * minutes).astype(np.float32)))
    assert found.pose_deg_per_minute == pytest.approx((0.0, 0.5, 0.0), abs=1e-4)
    assert len(found.lips) == 3
    with pytest.raises(ValueError, match="two minutes"):
        drift(rest(FRAMES_PER_MINUTE))
