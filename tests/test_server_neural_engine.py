"""The server around the LivePortrait engine: on made-up weights, and without any."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from liveportrait.networks.networks import Networks
from liveportrait.neural import engine as neural_engine
from models.errors import EngineMismatchError, MissingWeightsError
from server.__main__ import app
from server.engine.config import Engine, EngineConfig, build_engine, load_engine_config
from tests.conftest import ROOT
from tests.neural_sessions import spoken_session

SHIPPED = ROOT / "configs" / "engine" / "liveportrait.yaml"


def config_file(folder: Path, **changes: Any) -> Path:
    """The shipped engine file with some of its settings changed."""
    path = folder / "engine.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(SHIPPED.read_text()) | changes))
    return path


def seeded_config(folder: Path, **changes: Any) -> EngineConfig:
    return load_engine_config(str(config_file(folder, seeded_weights=True, **changes)))


@pytest.fixture(scope="module")
def engine(seeded: Networks, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """The shipped engine file on made-up weights, by plain torch, which starts at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neural_engine, "networks_of", lambda *_, **__: seeded)
        config = seeded_config(
            tmp_path_factory.mktemp("engine"), backend="torch", precision="fp32", device="cpu"
        )
        return build_engine(config)


def test_a_voice_moves_a_portrait_to_its_picture(engine: Engine) -> None:
    portrait, session = spoken_session(engine)
    assert len(session.renderable) >= 5
    moving = [float(motion.yaw[0]) for motion in session.motions]
    assert len(set(moving)) > 1
    lips = [motion.exp[0] for motion in session.motions]
    assert any(not np.array_equal(lips[0], other) for other in lips[1:])
    (frame,) = engine.renderer.render([portrait], session.motions[-1])
    assert frame.shape == (512, 512, 3)
    assert frame.std() > 10


def test_the_shipped_file_bridges_the_shipped_checkpoint() -> None:
    config = load_engine_config("liveportrait")
    assert (config.name, config.renderer, config.motion_layout) == (
        "liveportrait",
        "liveportrait",
        "explicit",
    )
    assert config.batch_on("cuda") == 8
    assert config.batch_on("cpu") == 2


def test_a_checkpoint_of_the_other_engine_is_refused_without_the_bridge(
    seeded: Networks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neural_engine, "networks_of", lambda *_, **__: seeded)
    config = seeded_config(tmp_path, motion_layout="own", backend="torch", precision="fp32")
    with pytest.raises(EngineMismatchError, match="'lite', not for 'liveportrait'"):
        build_engine(config)


def test_without_the_official_files_the_engine_names_the_command() -> None:
    with pytest.raises(MissingWeightsError, match="python -m models fetch liveportrait"):
        build_engine(load_engine_config("liveportrait"))


def test_serve_stops_and_says_which_command_fetches_the_files() -> None:
    result = CliRunner().invoke(app, ["serve", "--engine", "liveportrait", "--port", "0"])
    assert result.exit_code == 1
    assert "python -m models fetch liveportrait" in result.stderr
    assert "ready" not in result.stdout
