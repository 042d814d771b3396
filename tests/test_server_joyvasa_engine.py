"""The engine that speaks through JoyVASA: its file, its errors, and a voice through it."""

from pathlib import Path

import numpy as np
import pytest

from dit.published import joyvasa_generator
from liveportrait.animation.regions import REGION_MASKS
from liveportrait.networks.networks import Networks
from liveportrait.neural import engine as neural_engine
from models.errors import ConfigError, MissingWeightsError
from server.engine import factory
from server.engine.config import EngineConfig, build_engine, load_engine_config
from server.engine.factory import load_joyvasa, policy_of
from tests.neural_sessions import spoken_session
from tests.published_joyvasa import small_joyvasa

CPU = {"device": "cpu", "precision": "fp32", "backend": "torch"}


def changed(**changes: object) -> EngineConfig:
    """The shipped engine file with some of its settings changed."""
    return EngineConfig.model_validate(
        load_engine_config("liveportrait-joyvasa").model_dump() | changes
    )


def test_a_voice_moves_a_portrait(seeded: Networks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neural_engine, "networks_of", lambda *_, **__: seeded)
    monkeypatch.setattr(joyvasa_generator, "load_joyvasa", lambda _: small_joyvasa())
    monkeypatch.setattr(factory, "verify_at", lambda *_: None)  # the published files are not here
    engine = build_engine(changed(**CPU, joyvasa={"steps": 2}))
    portrait, session = spoken_session(engine)
    assert len(session.renderable) >= 5
    first, later = session.motions[0], session.motions[4]
    lips = REGION_MASKS["lip"]
    assert np.abs(later.exp[0][lips] - first.exp[0][lips]).max() > 0.0
    own = portrait.source
    np.testing.assert_allclose(first.exp[0][~lips], own.exp[0][~lips], atol=1e-6)
    assert first.yaw[0] == pytest.approx(own.yaw[0], abs=3.0)  # no more than sway


def test_the_shipped_file_draws_few_steps() -> None:
    config = load_engine_config("liveportrait-joyvasa")
    assert (config.generator, config.motion_layout) == ("joyvasa", "absolute_lips")
    assert (config.joyvasa.steps, config.joyvasa.eta) == (10, 0.0)


def test_generator_and_layout_belong_together(tmp_path: Path) -> None:
    shipped = load_engine_config("liveportrait-joyvasa").model_dump_json()
    for old, new in (("absolute_lips", "own"), ('"joyvasa"', '"dit"')):
        path = tmp_path / "engine.yaml"
        path.write_text(shipped.replace(old, new, 1))
        with pytest.raises(ConfigError, match="joyvasa and motion_layout absolute_lips belong"):
            load_engine_config(str(path))


def test_settings_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"joyvasa\.steps is 60; accepted: 1 to 50"):
        load_joyvasa(changed(joyvasa={"steps": 60}), policy_of(changed(**CPU)))


def test_without_the_published_files_the_engine_names_the_command(tmp_path: Path) -> None:
    config = changed(**CPU, motion=str(tmp_path / "joyvasa"))
    with pytest.raises(MissingWeightsError, match="run: python -m models fetch joyvasa"):
        load_joyvasa(config, policy_of(config))
