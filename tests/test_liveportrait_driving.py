"""Motion carried over to a photograph or a video: the official runs, case by case."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from liveportrait.animation.animal import drive_animal
from liveportrait.animation.driving import DrivenKeypoints, SourceMotion, drive
from liveportrait.animation.options import OFFICIAL_NAMES, AnimationOptions
from models.errors import ConfigError
from models.shapes import AnyArray
from tests.animation_fixtures import (
    KEYPOINT_LIMIT,
    furthest,
    golden_template,
    image_source,
    options_of,
    seeded_retargeters,
    single_frame_template,
    video_source,
)
from tests.liveportrait_fixtures import golden_arrays, golden_json

CASES = golden_json("pipeline")["cases"]


@cache
def official() -> dict[str, AnyArray]:
    return golden_arrays("pipeline")


def driven(name: str, options: AnimationOptions) -> DrivenKeypoints:
    """What we make of a case; its name says which source and driver it had."""
    source = video_source() if name.startswith("vid") else image_source()
    single = name.startswith(("img1", "vid1"))
    template = single_frame_template() if single else golden_template()
    pipeline = drive_animal if name.startswith("animal") else drive
    return pipeline(source, template, options, seeded_retargeters())


def everything(source: SourceMotion, template: object) -> Iterator[AnyArray]:
    for owner in (source.info, template):
        for field in fields(owner):  # type: ignore[arg-type]
            value = getattr(owner, field.name)
            if isinstance(value, np.ndarray):
                yield value
    assert source.landmarks is not None
    yield source.landmarks


@contextmanager
def write_protected(source: SourceMotion, template: object) -> Iterator[None]:
    """Any attempt to change an argument in place raises."""
    for array in everything(source, template):
        array.setflags(write=False)
    yield


def test_the_cases_are_all_there() -> None:
    assert len(CASES) == 63
    assert sum(case["name"].startswith("animal") for case in CASES) == 2


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["name"]))
def test_an_official_run_is_reproduced(case: dict[str, Any]) -> None:
    name = case["name"]
    ours = driven(name, options_of(case["overrides"]))
    theirs_s = np.broadcast_to(official()[f"{name}/x_s"], ours.x_s.shape)
    assert len(ours) == case["n_frames"]
    assert ours.x_d.dtype == ours.x_s.dtype == np.float32
    assert furthest(ours.x_d, official()[f"{name}/x_d"]) < KEYPOINT_LIMIT
    assert furthest(ours.x_s, theirs_s) < KEYPOINT_LIMIT


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("make_source", [image_source, video_source])
def test_arguments_stay_as_they_are(make_source: Any, relative: bool) -> None:
    source, template = make_source(), golden_template()
    options = AnimationOptions(
        relative=relative, normalize_lip=True, source_video_eye_retargeting=True
    )
    with write_protected(source, template):
        first = drive(source, template, options, seeded_retargeters())
        second = drive(source, template, options, seeded_retargeters())
        drive_animal(image_source(), template, AnimationOptions(), seeded_retargeters())
    assert np.array_equal(first.x_d, second.x_d)


def test_a_video_gives_as_many_frames_as_the_shorter() -> None:
    source, template, networks = video_source(), golden_template(), seeded_retargeters()
    options = AnimationOptions()
    assert len(drive(source, template[:7], options, networks)) == 7
    assert len(drive(source[:5], template, options, networks)) == 5
    assert len(drive(source, template[:1], options, networks)) == len(source)


def test_a_template_is_truncated_before_it_is_smoothed() -> None:
    """As in the official run: later frames that are not used do not leak into earlier ones."""
    source, template, networks = video_source(), golden_template(), seeded_retargeters()
    options = AnimationOptions(smooth_variance=1e-4)
    short = drive(source[:6], template, options, networks)
    same = drive(source[:6], template[:6], options, networks)
    assert np.array_equal(short.x_d, same.x_d)


def test_no_multiplier_leaves_the_source_and_a_negative_one_mirrors() -> None:
    source, template, networks = image_source(), golden_template(), seeded_retargeters()
    still = drive(source, template, AnimationOptions(driving_multiplier=0.0), networks)
    assert furthest(still.x_d, still.x_s) == 0
    forth = drive(source, template, AnimationOptions(driving_multiplier=0.5), networks)
    back = drive(source, template, AnimationOptions(driving_multiplier=-0.5), networks)
    assert furthest(forth.x_d - forth.x_s, -(back.x_d - back.x_s)) < 1e-6


def test_lips_that_are_shut_are_not_normalised() -> None:
    source, template, networks = image_source(), golden_template(), seeded_retargeters()
    plain = drive(source, template, AnimationOptions(), networks)
    shut_already = AnimationOptions(normalize_lip=True, lip_normalize_threshold=0.5)
    assert np.array_equal(drive(source, template, shut_already, networks).x_d, plain.x_d)
    copied = AnimationOptions(normalize_lip=True, relative=False)
    absolute = drive(source, template, AnimationOptions(relative=False), networks)
    assert np.array_equal(drive(source, template, copied, networks).x_d, absolute.x_d)


def test_a_video_that_starts_with_a_blink_aims_at_the_fallback() -> None:
    source, template, networks = video_source(), golden_template(), seeded_retargeters()
    asked = AnimationOptions(source_video_eye_retargeting=True, source_video_eye_threshold=0.9)
    wide = replace(asked, source_video_eye_fallback=0.6)
    one = drive(source, template, asked, networks).x_d
    other = drive(source, template, wide, networks).x_d
    assert furthest(one, other) > 1e-4
    not_a_blink = replace(asked, source_video_eye_threshold=0.0)
    same = replace(not_a_blink, source_video_eye_fallback=0.6)
    assert np.array_equal(
        drive(source, template, not_a_blink, networks).x_d,
        drive(source, template, same, networks).x_d,
    )


@pytest.mark.parametrize(
    "option",
    ["eye_retargeting", "lip_retargeting", "normalize_lip", "source_video_eye_retargeting"],
)
def test_options_that_need_landmarks_say_so(option: str) -> None:
    source = replace(video_source(), landmarks=None)
    options = options_of({OFFICIAL_NAMES[option]: True})
    with pytest.raises(ConfigError, match=f"{option} needs the source's 203 face landmarks"):
        drive(source, golden_template(), options, seeded_retargeters())


@pytest.mark.parametrize("option", ["eye_retargeting", "lip_retargeting"])
def test_templates_without_ratios_drive_until_ratios_are_needed(option: str) -> None:
    template = replace(golden_template(), eye_ratios=None, lip_ratios=None)
    plain = drive(image_source(), template, AnimationOptions(), seeded_retargeters())
    assert furthest(plain.x_d, official()["img_default/x_d"]) < KEYPOINT_LIMIT
    options = options_of({OFFICIAL_NAMES[option]: True})
    with pytest.raises(ConfigError, match=f"{option} needs a motion template with"):
        drive(image_source(), template, options, seeded_retargeters())


def test_no_frames_and_wrong_landmarks_are_refused() -> None:
    source, template, networks = image_source(), golden_template(), seeded_retargeters()
    for pipeline in (drive, drive_animal):
        with pytest.raises(ValueError, match="no frame"):
            pipeline(source, template[:0], AnimationOptions(), networks)
    with pytest.raises(ValueError, match="no frame"):
        drive(video_source(), template[:0], AnimationOptions(), networks)
    with pytest.raises(ValueError, match="landmarks has shape"):
        SourceMotion(source.info, np.zeros((1, 106, 2), np.float32))
    with pytest.raises(ValueError, match="at least one frame"):
        SourceMotion(source.info[:0])
    with pytest.raises(ValueError, match="photograph"):
        drive_animal(video_source(), template, AnimationOptions(), networks)
