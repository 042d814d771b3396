from dataclasses import replace
from pathlib import Path

import pytest

from dit.training.config import TrainConfig, load_config
from models.errors import ConfigError
from tests.conftest import ROOT


def written(folder: Path, text: str) -> Path:
    path = folder / "train.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", ["default", "large"])
def test_the_shipped_settings_are_read(name: str) -> None:
    config = load_config(ROOT / f"configs/train/{name}.yaml")
    assert config.engine == "lite"
    assert config.network.style == (name == "large")


def test_what_is_not_given_keeps_its_default(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, "steps: 7\noptimizer:\n  learning_rate: 1e-3\n"))
    assert config == replace(
        TrainConfig(), steps=7, optimizer=replace(TrainConfig().optimizer, learning_rate=1e-3)
    )
    assert load_config(written(tmp_path, "")) == TrainConfig()


def test_assignments_go_over_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "data:\n  batch: 8\n  workers: 1\n")
    config = load_config(path, ["data.batch=16", "run.compile=true", "seed=5"])
    assert (config.data.batch, config.data.workers) == (16, 1)
    assert config.run.compile
    assert config.seed == 5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stepz: 3", "unknown stepz; accepted: engine, seed, steps, network"),
        ("data:\n  batchsize: 3", "unknown batchsize in data; accepted: batch, real_share"),
        ("steps: many", "steps is 'many'; accepted: a whole number"),
        ("steps: 0", "steps is 0; accepted: 1 and more"),
        ("steps: true", "accepted: a whole number"),
        ("run:\n  compile: 1", "run.compile is 1; accepted: true or false"),
        ("optimizer:\n  precision: fp16", "precision is 'fp16'; accepted: fp32, bf16"),
        ("optimizer:\n  learning_rate: fast", "learning_rate is 'fast'; accepted: a number"),
        ("masking:\n  no_voice: 1.5", "masking: no_voice is 1.5; accepted: 0 to 1"),
        ("losses:\n  closure: -1", "losses: closure is -1.0; accepted: 0 and more"),
        ("losses:\n  closure: .nan", "losses: closure is nan"),
        ("network:\n  width: 30", "width 30 does not split into 4 even heads"),
        ("network: 5", "network must be a table"),
        ("- a", "must hold names and values"),
        ("steps: [", "cannot read the settings file"),
    ],
)
def test_mistakes_are_named_with_what_is_accepted(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace("[", r"\[")):
        load_config(written(tmp_path, text))


@pytest.mark.parametrize("assignment", ["steps", "=3", "steps.inner=3", "data.batch=["])
def test_assignments_of_another_form_are_refused(tmp_path: Path, assignment: str) -> None:
    with pytest.raises(ConfigError, match="setting "):
        load_config(written(tmp_path, "steps: 3"), [assignment])


def test_the_fingerprint_leaves_out_how_the_run_is_carried_out() -> None:
    config = TrainConfig()
    other_run = replace(config, run=replace(config.run, threads=2, validate_every=9))
    assert other_run.fingerprint() == config.fingerprint()
    assert replace(config, seed=2).fingerprint() != config.fingerprint()
