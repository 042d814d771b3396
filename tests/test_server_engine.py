from pathlib import Path

import pytest

from dit.moods import moods_of
from models.errors import ConfigError
from server.avatars import load_shipped
from server.engine.config import build_engine, load_engine_config
from server.engine.warmup import warm_up
from tests.conftest import ROOT
from tests.fake_engine import SIZE, write_config


def test_the_shipped_engine_file_loads() -> None:
    config = load_engine_config("lite")
    assert (config.name, config.width, config.height) == ("lite", 512, 512)


def test_an_unknown_engine_names_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match="lite"):
        load_engine_config("heavy")


@pytest.mark.parametrize("text", ["name: x", "- 1", "name: x\nfactory: y\nspeed: 3", "a: ["])
def test_a_bad_engine_file_is_a_clear_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="bad engine file"):
        load_engine_config(str(path))


def test_a_factory_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    config = load_engine_config(str(write_config(tmp_path)))
    with pytest.raises(ConfigError, match="cannot find"):
        build_engine(config.model_copy(update={"factory": "server.engine.config:nothing"}))


def test_a_renderer_of_another_size_is_refused(tmp_path: Path) -> None:
    config = load_engine_config(str(write_config(tmp_path)))
    with pytest.raises(ConfigError, match=f"{SIZE}x{SIZE}"):
        build_engine(config.model_copy(update={"width": 64}))


def test_an_engine_file_says_how_a_live_voice_is_cut(tmp_path: Path) -> None:
    live = load_engine_config("lite").live
    assert (live.hop_frames, live.lookahead_frames) == (5, 3)
    path = write_config(tmp_path)
    for wrong in ("{hop_frames: 0}", "{lookahead_frames: 26}", "{hop: 5}"):
        path.write_text(f"name: x\nfactory: a:b\nlive: {wrong}\n")
        with pytest.raises(ConfigError, match="live"):
            load_engine_config(str(path))
    joyvasa = (ROOT / "configs/engine/liveportrait-joyvasa.yaml").read_text()
    path.write_text(joyvasa + "live: {lookahead_frames: 3}\n")
    with pytest.raises(ConfigError, match=r"joyvasa\.lookahead_frames"):
        load_engine_config(str(path))


def test_warm_up_measures_hops_and_delays(tmp_path: Path) -> None:
    config = load_engine_config(str(write_config(tmp_path)))
    info = warm_up(build_engine(config), config, load_shipped()[0].image)
    assert (info.live.delay_frames, info.live.hop_frames) == (9, 5)
    assert (info.chunk.delay_frames, info.chunk.hop_frames) == (69, 65)
    assert info.timing("chunk") is info.chunk
    for cost in (info.live.motion, info.chunk.motion, info.pictures):
        assert 0 < cost.worker_s == cost.cpu_s  # one thread


@pytest.mark.parametrize(("engine", "moods"), [("lite", 5), ("liveportrait", 1)])
def test_an_engine_tells_only_the_moods_that_its_faces_show(engine: str, moods: int) -> None:
    assert len(moods_of(load_engine_config(engine).renderer)) == moods
