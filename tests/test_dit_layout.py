"""Motion vectors and back."""

import numpy as np
import pytest

from dit.layout import MOTION_CHANNELS, MotionLayout, channels_of, layout_of, raw_vector
from models.motion import Motion, rest
from models.shapes import FloatArray


def some_motion(frames: int, seed: int = 0) -> Motion:
    rng = np.random.default_rng(seed)

    def noise(*shape: int) -> FloatArray:
        return rng.standard_normal(shape).astype(np.float32)

    return Motion(
        5 * noise(frames),
        9 * noise(frames),
        3 * noise(frames),
        4 * noise(frames, 3),
        np.exp(0.02 * noise(frames)),
        6 * noise(frames, 21, 3),
    )


def test_normalising_and_back_keeps_the_motion() -> None:
    motion = some_motion(40)
    layout = layout_of("lite", [motion, some_motion(30, 1)])
    back = layout.motion(layout.normalise(motion))
    for one, other in zip(raw_vector(motion).T, raw_vector(back).T, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=2e-4)


def test_training_motion_has_about_unit_spread_and_rest_pose_is_zero() -> None:
    motion = some_motion(4000)
    layout = layout_of("lite", [motion])
    assert np.allclose(layout.normalise(motion).std(0), 1.0, atol=0.05)
    assert np.allclose(layout.normalise(rest(1))[0, :7], 0.0, atol=1e-6)


def test_channels_that_never_move_still_have_a_spread() -> None:
    motion = some_motion(1000)
    motion.exp[:, 20] = 0.0
    layout = layout_of("lite", [motion])
    assert layout.spread[channels_of((20,))].min() > 0.5


def test_channels_are_the_keypoints_coordinates() -> None:
    motion = rest(1)
    motion.exp[0, 5] = (1.0, 2.0, 3.0)
    np.testing.assert_array_equal(raw_vector(motion)[0, channels_of((5,))], [1.0, 2.0, 3.0])


def test_statistics_that_make_no_sense_are_refused() -> None:
    mean, spread = np.zeros(MOTION_CHANNELS, np.float32), np.ones(MOTION_CHANNELS, np.float32)
    with pytest.raises(ValueError, match="unknown engine 'x'"):
        MotionLayout("x", mean, spread)
    with pytest.raises(ValueError, match="above zero"):
        MotionLayout("lite", mean, 0 * spread)
    with pytest.raises(ValueError, match="finite"):
        MotionLayout("lite", mean[:3], spread)
    bad = rest(2)
    bad.scale[1] = 0.0
    with pytest.raises(ValueError, match="scale"):
        raw_vector(bad)
