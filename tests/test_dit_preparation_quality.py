"""Every filter turns away what it is for, and says so."""

from dataclasses import replace

import numpy as np
import pytest

from dit.preparation.quality import filters_of, jitter, speech_share
from dit.preparation.settings import PrepareSettings, QualitySettings, settings_of
from models.errors import ConfigError
from tests.preparation_fixtures import spoken

GOOD = {
    "seconds": 5.0,
    "missing": 0.0,
    "face_px": 200.0,
    "rivals": 0.0,
    "yaw_deg": 10.0,
    "pitch_deg": 8.0,
    "sharpness": 150.0,
    "jitter": 0.006,
    "lip_movement": 0.04,
    "speech": 0.8,
}


@pytest.mark.parametrize(
    ("figure", "value", "reason"),
    [
        ("seconds", 1.0, "too short"),
        ("missing", 0.3, "face often lost"),
        ("face_px", 40.0, "face too small"),
        ("rivals", 0.5, "several faces"),
        ("yaw_deg", 60.0, "turned away"),
        ("pitch_deg", 50.0, "looks up or down"),
        ("sharpness", 2.0, "blurred"),
        ("jitter", 0.2, "unsteady landmarks"),
        ("lip_movement", 0.001, "mouth does not move"),
        ("speech", 0.1, "hardly any speech"),
    ],
)
def test_each_filter_names_its_reason_figure_and_bound(
    figure: str, value: float, reason: str
) -> None:
    filters = filters_of(QualitySettings())
    assert [f.problem(GOOD) for f in filters] == [None] * len(filters)
    (problem,) = [p for f in filters if (p := f.problem({**GOOD, figure: value}))]
    assert problem.startswith(reason)
    assert figure in problem
    assert "accepted" in problem


def test_a_threshold_is_a_setting() -> None:
    stricter = replace(QualitySettings(), least_face_px=300.0)
    assert any(f.problem(GOOD) for f in filters_of(stricter))


def test_jitter_is_blind_to_even_movement() -> None:
    rng = np.random.default_rng(0)
    face = rng.uniform(0, 100, (478, 3)).astype(np.float32)
    drift = np.arange(30, dtype=np.float32)[:, None, None]
    assert jitter(face + 2 * drift) < 1e-5
    shaken = face + rng.normal(0, 2, (30, 478, 3))
    assert jitter(shaken.astype(np.float32)) > 0.02


def test_speech_is_told_from_noise_and_silence() -> None:
    assert speech_share(spoken(0)[0]) > 0.6
    noise = 0.05 * np.random.default_rng(0).standard_normal(32_000)
    assert speech_share(noise.astype(np.float32)) < 0.1
    assert speech_share(np.zeros(16_000, np.float32)) == 0.0


def test_settings_of_the_engines_are_read_and_others_refused() -> None:
    assert settings_of("lite").engine == "lite"
    assert settings_of("liveportrait").motion.startswith("liveportrait.")
    with pytest.raises(ConfigError, match="accepted: lite, liveportrait"):
        settings_of("other")
    with pytest.raises(ValueError, match="1 and more"):
        PrepareSettings(scenes=replace(settings_of("lite").scenes, longest_s=0.5))
