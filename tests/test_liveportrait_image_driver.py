"""Driving a photograph in pieces gives what driving it at once gives."""

from itertools import pairwise
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveportrait.animation.driving import drive
from liveportrait.animation.image_driver import ImageDriver
from liveportrait.animation.options import AnimationOptions, AnimationRegion, DrivingOption
from tests.animation_fixtures import (
    furthest,
    golden_template,
    image_source,
    seeded_retargeters,
    single_frame_template,
    video_source,
)

FRAMES = 12
OPTIONS = st.builds(
    AnimationOptions,
    relative=st.booleans(),
    driving_option=st.sampled_from(get_args(DrivingOption)),
    animation_region=st.sampled_from(get_args(AnimationRegion)),
    driving_multiplier=st.floats(-2, 2),
    stitching=st.booleans(),
    normalize_lip=st.booleans(),
    eye_retargeting=st.booleans(),
    lip_retargeting=st.booleans(),
)


@settings(max_examples=60, deadline=None)
@given(options=OPTIONS, cuts=st.sets(st.integers(1, FRAMES - 1)))
def test_pieces_of_any_size_give_the_whole(options: AnimationOptions, cuts: set[int]) -> None:
    template, networks = golden_template(), seeded_retargeters()
    whole = drive(image_source(), template, options, networks)
    driver = ImageDriver(image_source(), options, networks)
    edges = [0, *sorted(cuts), FRAMES]
    pieces = [driver.advance(template[start:end]) for start, end in pairwise(edges)]
    assert furthest(np.concatenate([piece.x_d for piece in pieces]), whole.x_d) < 5e-6
    assert furthest(np.concatenate([piece.x_s for piece in pieces]), whole.x_s) == 0


def test_relative_motion_starts_at_the_photograph() -> None:
    options = AnimationOptions(stitching=False)
    driver = ImageDriver(image_source(), options, seeded_retargeters())
    start = driver.advance(golden_template()[4:5])
    assert furthest(start.x_d, start.x_s) < 1e-6
    assert furthest(driver.advance(golden_template()[9:10]).x_d, start.x_s) > 1e-3


def test_both_driving_options_are_one_for_people() -> None:
    """As in the official code: the first frame gives the photograph back, so sizes are equal."""
    template, networks = golden_template(), seeded_retargeters()
    size = AnimationOptions(driving_option="expression-friendly")
    pose = AnimationOptions(driving_option="pose-friendly")
    one = drive(image_source(), template, size, networks)
    assert furthest(one.x_d, drive(image_source(), template, pose, networks).x_d) < 2e-6


def test_two_drivers_do_not_share_their_first_frame() -> None:
    options, networks = AnimationOptions(stitching=False), seeded_retargeters()
    ImageDriver(image_source(), options, networks).advance(golden_template()[:1])
    other = ImageDriver(image_source(), options, networks).advance(golden_template()[7:8])
    assert furthest(other.x_d, other.x_s) < 1e-6


def test_one_picture_is_compared_with_a_face_at_rest() -> None:
    options, networks = AnimationOptions(), seeded_retargeters()
    picture = ImageDriver(image_source(), options, networks, from_video=False)
    at_once = drive(image_source(), single_frame_template(), options, networks)
    assert np.array_equal(picture.advance(single_frame_template()).x_d, at_once.x_d)
    assert furthest(at_once.x_d, at_once.x_s) > 1e-3


def test_videos_and_empty_pieces_are_refused() -> None:
    with pytest.raises(ValueError, match="photograph"):
        ImageDriver(video_source(), AnimationOptions(), seeded_retargeters())
    driver = ImageDriver(image_source(), AnimationOptions(), seeded_retargeters())
    with pytest.raises(ValueError, match="no frame"):
        driver.advance(golden_template()[:0])
