"""Stitching, eye and lip networks on keypoints: the official numbers on seeded weights."""

import numpy as np

from liveportrait.animation.retargeters import retargeting_features
from tests.animation_fixtures import furthest, seeded_retargeters
from tests.liveportrait_fixtures import golden_arrays

LIMIT = 1e-5


def test_features_are_source_and_condition_side_by_side() -> None:
    arrays = golden_arrays("net_S")
    features = retargeting_features(arrays["kp_source"], arrays["kp_driving"])
    assert furthest(features, arrays["concat_feat"]) < LIMIT


def test_stitching_is_the_official_one() -> None:
    arrays = golden_arrays("net_S")
    before = arrays["kp_driving"].copy()
    stitched = seeded_retargeters().stitch(arrays["kp_source"], arrays["kp_driving"])
    assert furthest(stitched, arrays["stitching"]) < LIMIT
    assert np.array_equal(arrays["kp_driving"], before)


def test_one_source_stitches_a_batch() -> None:
    arrays, keypoints = golden_arrays("net_S"), golden_arrays("net_W")
    driving = np.concatenate([keypoints["kp_driving"], keypoints["kp_driving_2"]])
    stitched = seeded_retargeters().stitch(keypoints["kp_source"], driving)
    assert furthest(stitched, arrays["b2_stitching"]) < LIMIT


def test_eye_and_lip_deltas_are_the_official_ones() -> None:
    arrays, retargeters = golden_arrays("net_S"), seeded_retargeters()
    eyes = retargeters.eye_delta(arrays["kp_source"], arrays["eye_ratio"])
    lips = retargeters.lip_delta(arrays["kp_source"], arrays["lip_ratio"])
    assert furthest(eyes.reshape(arrays["eye_delta"].shape), arrays["eye_delta"]) < LIMIT
    assert furthest(lips.reshape(arrays["lip_delta"].shape), arrays["lip_delta"]) < LIMIT
    assert eyes.dtype == lips.dtype == np.float32
