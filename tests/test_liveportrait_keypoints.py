"""KeypointInfo and the keypoint equation."""

from dataclasses import replace

import numpy as np
import pytest

from liveportrait.animation.keypoints import concatenate, without_depth
from models.motion import driven_keypoints, rotation_matrix
from tests.animation_fixtures import furthest, golden_info
from tests.liveportrait_fixtures import golden_arrays


def test_rotation_is_the_official_one() -> None:
    arrays = golden_arrays("geometry")
    assert furthest(rotation_matrix(*arrays["pyr_deg"]), arrays["R"]) < 1e-6
    source = golden_arrays("source_info")
    assert furthest(golden_info("image").rotation, source["image_R"]) < 1e-6


def test_keypoints_are_the_official_ones() -> None:
    official = golden_arrays("source_info")["image_x_s"]
    assert furthest(golden_info("image").keypoints(), official) < 1e-6


def test_depth_of_the_shift_changes_nothing() -> None:
    info = golden_info("video")
    deeper = replace(info, t=info.t + np.array([0, 0, 5], np.float32))
    assert np.array_equal(deeper.keypoints(), info.keypoints())
    assert not np.array_equal(deeper.t, info.t)


def test_without_depth_leaves_its_argument_alone() -> None:
    t = np.ones((2, 3), np.float32)
    assert without_depth(t)[:, 2].tolist() == [0, 0]
    assert t[:, 2].tolist() == [1, 1]


def test_as_motion_it_gives_the_same_keypoints() -> None:
    info = golden_info("video")
    again = [driven_keypoints(info.kp[i], info.to_motion()[i : i + 1])[0] for i in range(len(info))]
    assert furthest(np.stack(again), info.keypoints()) < 1e-6


def test_frames_are_cut_and_joined() -> None:
    info = golden_info("video")
    joined = concatenate([info[:5], info[5:]])
    assert len(info[:5]) == 5
    assert np.array_equal(joined.keypoints(), info.keypoints())


def test_arrays_that_do_not_fit_are_refused() -> None:
    info = golden_info("video")
    with pytest.raises(ValueError, match=r"exp has shape \(3, 21, 3\), not \(12, 21, 3\)"):
        replace(info, exp=info.exp[:3])
    with pytest.raises(ValueError, match="scale has shape"):
        replace(info, scale=info.scale[:, None])
