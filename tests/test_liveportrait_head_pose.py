"""Raw heads of the motion extractor become degrees and keypoints as in the official code."""

import numpy as np
import pytest

from liveportrait.animation.head_pose import degrees_from_bins, refine_heads
from tests.animation_fixtures import furthest
from tests.liveportrait_fixtures import golden_arrays

HEADS = ("pitch", "yaw", "roll", "t", "exp", "scale", "kp")


def test_bins_become_the_official_degrees() -> None:
    arrays = golden_arrays("geometry")
    assert furthest(degrees_from_bins(arrays["bins66"]), arrays["bins66_degree"]) < 2e-5


def test_degrees_pass_through() -> None:
    arrays = golden_arrays("geometry")
    passed = degrees_from_bins(arrays["deg_passthrough_in"])
    assert np.array_equal(passed, arrays["deg_passthrough_out"])


def test_one_sure_bin_is_its_own_angle_and_huge_scores_do_not_overflow() -> None:
    scores = np.full((66, 66), -1e4, np.float32)
    np.fill_diagonal(scores, 1e4)
    assert np.allclose(degrees_from_bins(scores), np.arange(66) * 3 - 97.5, atol=1e-4)


def test_raw_heads_become_the_official_pose_and_keypoints() -> None:
    arrays = golden_arrays("net_M")
    info = refine_heads(**{name: arrays[f"raw_{name}"] for name in HEADS})
    for name in HEADS:
        official = arrays[f"refined_{name}"]
        assert furthest(getattr(info, name).reshape(official.shape), official) < 2e-5
    assert furthest(info.keypoints(), arrays["x_s"]) < 2e-5


def test_the_official_transform_of_four_heads() -> None:
    arrays = golden_arrays("geometry")
    info = refine_heads(**{name: arrays[f"tk_in_{name}"] for name in HEADS})
    assert furthest(info.keypoints(), arrays["tk_out"]) < 1e-5


def test_heads_of_other_sizes_are_refused() -> None:
    arrays = golden_arrays("net_M")
    heads = {name: arrays[f"raw_{name}"] for name in HEADS}
    with pytest.raises(ValueError, match="reshape"):
        refine_heads(**{**heads, "t": heads["t"][:1]})
    with pytest.raises(ValueError, match="exp"):
        refine_heads(**{**heads, "exp": heads["exp"][:, :60]})
