"""The retargeting sliders against the official ones."""

from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from liveportrait.animation.sliders import (
    SLIDER_RANGES,
    SliderSettings,
    retarget_sliders,
    slider_expression,
    source_ratios,
)
from models.errors import ConfigError
from tests.animation_fixtures import (
    KEYPOINT_LIMIT,
    furthest,
    image_source,
    seeded_retargeters,
    video_source,
)
from tests.liveportrait_fixtures import golden_arrays, golden_json

OFFICIAL = golden_json("pipeline")


@pytest.mark.parametrize("stitching", [False, True])
@pytest.mark.parametrize("case", OFFICIAL["slider_cases"], ids=lambda case: str(case["name"]))
def test_an_official_setting_is_reproduced(case: dict[str, Any], stitching: bool) -> None:
    ours = {limits.official: name for name, limits in SLIDER_RANGES.items()}
    values = {**OFFICIAL["slider_base"], **case["sliders"]}
    settings = SliderSettings(**{ours[name]: value for name, value in values.items()})
    source = image_source()
    x_d = retarget_sliders(source.info, source.landmarks, settings, seeded_retargeters(), stitching)
    official = golden_arrays("pipeline")[f"sliders/{case['name']}_stitch{int(stitching)}"]
    assert furthest(x_d, official) < KEYPOINT_LIMIT


def test_every_official_slider_is_there() -> None:
    assert {limits.official for limits in SLIDER_RANGES.values()} == set(OFFICIAL["slider_base"])
    assert {field.name for field in fields(SliderSettings)} == set(SLIDER_RANGES)


def test_every_slider_moves_something_and_none_moves_its_argument() -> None:
    source, networks = image_source(), seeded_retargeters()
    still = retarget_sliders(source.info, source.landmarks, SliderSettings(), networks)
    before = source.info.exp.copy()
    for name, limits in SLIDER_RANGES.items():
        settings = SliderSettings(**{name: limits.high})
        moved = retarget_sliders(source.info, source.landmarks, settings, networks)
        assert furthest(moved, still) > 1e-5, name
    assert np.array_equal(source.info.exp, before)


def test_sliders_at_the_photographs_own_ratios_change_nothing() -> None:
    source, networks = image_source(), seeded_retargeters()
    assert source.landmarks is not None
    eyes, lips = source_ratios(source.landmarks)
    assert (eyes, lips) == (0.29, 0.12)
    own = SliderSettings(eye_ratio=eyes, lip_ratio=lips)
    still = retarget_sliders(source.info, source.landmarks, SliderSettings(), networks)
    assert np.array_equal(retarget_sliders(source.info, source.landmarks, own, networks), still)


def test_sliders_add_up() -> None:
    exp = image_source().info.exp
    smile = slider_expression(exp, SliderSettings(smile=0.5)) - exp
    wink = slider_expression(exp, SliderSettings(wink=20)) - exp
    both = slider_expression(exp, SliderSettings(smile=0.5, wink=20)) - exp
    assert furthest(both, smile + wink) < 1e-6


def test_what_cannot_be_is_refused() -> None:
    source, networks = image_source(), seeded_retargeters()
    with pytest.raises(ConfigError, match=r"smile is 2; accepted: -0\.3 to 1\.3"):
        SliderSettings(smile=2)
    with pytest.raises(ConfigError, match="yaw is nan"):
        SliderSettings(yaw=float("nan"))
    with pytest.raises(ConfigError, match="203 face landmarks"):
        retarget_sliders(source.info, None, SliderSettings(eye_ratio=0.5), networks)
    with pytest.raises(ValueError, match="one photograph"):
        retarget_sliders(video_source().info, None, SliderSettings(), networks)
