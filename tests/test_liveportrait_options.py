"""The options' defaults are the official command line's, and their ranges are kept."""

from dataclasses import fields
from typing import Any

import pytest

from liveportrait.animation.options import OFFICIAL_NAMES, AnimationOptions
from models.errors import ConfigError
from tests.liveportrait_fixtures import golden_json


def test_defaults_are_the_effective_official_ones() -> None:
    effective = golden_json("configs")["effective_cli"]["inference"]
    options = AnimationOptions()
    ours = {official: getattr(options, name) for name, official in OFFICIAL_NAMES.items()}
    assert ours == {official: effective[official] for official in ours}


def test_every_option_but_one_constant_has_an_official_name() -> None:
    names = {field.name for field in fields(AnimationOptions)}
    assert names - set(OFFICIAL_NAMES) == {"source_video_eye_fallback"}
    assert AnimationOptions().source_video_eye_fallback == 0.39


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"driving_option": "friendly"}, "expression-friendly, pose-friendly"),
        ({"animation_region": "nose"}, "all, exp, pose, lip, eyes"),
        ({"driving_multiplier": float("nan")}, "driving_multiplier is nan"),
        ({"driving_multiplier": 11.0}, "accepted: -10 to 10"),
        ({"smooth_variance": 0.0}, "smooth_variance is 0"),
        ({"lip_normalize_threshold": -1.0}, "lip_normalize_threshold"),
    ],
)
def test_values_out_of_range_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        AnimationOptions(**change)
