"""Whole runs of a tiny network: stopped and resumed, in half precision, learning, logged."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dit.checkpoint import load_checkpoint
from dit.training.config import TrainConfig
from dit.training.log import TrainingLog
from dit.training.loop import Trainer, learning_rate
from dit.training.validation import validate
from models.errors import WeightsError
from tests.training_fixtures import LAYOUT, flat_weights, tiny_config, tiny_set

SILENT = TrainingLog(lambda _line: None)


def run(out: Path, config: TrainConfig, until: int | None = None, speech: bool = True) -> Trainer:
    trainer = Trainer(config, tiny_set(speech))
    trainer.run(out, SILENT, until)
    return trainer


def resumed(out: Path, config: TrainConfig) -> Trainer:
    trainer = Trainer(config, tiny_set())
    trainer.resume(out)
    return trainer


@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_that_was_stopped_ends_like_one_that_was_not(tmp_path: Path, workers: int) -> None:
    config = tiny_config(data={"workers": workers})
    whole = run(tmp_path / "whole", config)
    run(tmp_path / "part", config, until=3)  # in the middle of a speaker's four steps
    rest_of_it = resumed(tmp_path / "part", config)
    assert rest_of_it.state.step == 3
    rest_of_it.run(tmp_path / "part", SILENT)
    for one, other in (
        (whole.state.network, rest_of_it.state.network),
        (whole.state.ema, rest_of_it.state.ema),
    ):
        np.testing.assert_array_equal(flat_weights(one), flat_weights(other))
    assert rest_of_it.state.best == whole.state.best
    moments = [t.state.optimizer.state_dict()["state"] for t in (whole, rest_of_it)]
    for key, values in moments[0].items():
        for name, value in values.items():
            torch.testing.assert_close(moments[1][key][name], value, rtol=0, atol=0)


def test_a_run_writes_checkpoints_that_load(tmp_path: Path) -> None:
    lines: list[str] = []
    trainer = Trainer(tiny_config(), tiny_set())
    trainer.run(tmp_path, TrainingLog(lines.append))
    assert sum("gap_r" in line for line in lines) == 3
    assert load_checkpoint(tmp_path / "best", "lite").encoder == "tiny"
    last = load_checkpoint(tmp_path / "last").network
    np.testing.assert_array_equal(flat_weights(last), flat_weights(trainer.state.ema))


def test_resuming_with_other_settings_is_refused(tmp_path: Path) -> None:
    run(tmp_path, tiny_config(), until=2)
    with pytest.raises(WeightsError, match="other settings"):
        resumed(tmp_path, tiny_config(steps=7))
    resumed(tmp_path, tiny_config(run={"log_every": 5}))  # says nothing about the result
    (tmp_path / "state.pt").write_bytes(b"no state")
    with pytest.raises(WeightsError, match="no state"):
        resumed(tmp_path, tiny_config())


def test_lips_that_follow_the_voice_are_learnt(tmp_path: Path) -> None:
    config = tiny_config(
        steps=120,
        network={"width": 32, "dropout": 0.0},
        optimizer={"warmup_steps": 10, "learning_rate": 5e-3, "ema_decay": 0.9},
        data={"batch": 16, "long_window_share": 0.0},
        masking={"no_voice": 0.0, "late_voice": 0.0},
        run={"validate_every": 120},
    )
    trainer = Trainer(config, tiny_set(speech=False))
    before = validate(trainer.state.ema, LAYOUT, trainer.data.validation, [])
    lines: list[str] = []
    trainer.run(tmp_path, TrainingLog(lines.append))
    losses = [float(line.split()[3]) for line in lines if "loss" in line]
    after = validate(trainer.state.ema, LAYOUT, trainer.data.validation, [])
    assert np.mean(losses[-5:]) < 0.3 * np.mean(losses[:5])
    assert before.gap_r < 0.3
    assert after.gap_r > 0.8
    assert after.gap_lag_frames == 0
    assert np.isnan(after.closures_shut)


def test_half_precision_stays_near_full_precision(tmp_path: Path) -> None:
    full = run(tmp_path / "full", tiny_config(network={"dropout": 0.0}))
    half = run(
        tmp_path / "half", tiny_config(network={"dropout": 0.0}, optimizer={"precision": "bf16"})
    )
    assert next(half.state.network.parameters()).dtype == torch.float32
    moved = flat_weights(full.state.network) - flat_weights(
        Trainer(tiny_config(), tiny_set()).state.network
    )
    apart = flat_weights(full.state.network) - flat_weights(half.state.network)
    assert 0 < np.linalg.norm(apart) < 0.2 * np.linalg.norm(moved)


def test_a_network_with_style_is_trained_and_loads(tmp_path: Path) -> None:
    trainer = run(tmp_path, tiny_config(network={"style": True}, masking={"no_style": 0.0}))
    learnt = load_checkpoint(tmp_path / "last").network
    assert learnt.config.style_channels == 210
    assert learnt.style_in.weight.abs().sum() > 0
    assert trainer.state.step == 6


def test_the_curves_hold_the_scalars(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = TrainingLog(lambda _line: None, tmp_path / "curves")
    Trainer(tiny_config(), tiny_set()).run(tmp_path, log)
    log.close()
    curves = EventAccumulator(str(tmp_path / "curves"))
    curves.Reload()
    names = set(curves.Tags()["scalars"])
    assert {"loss/total", "loss/closure", "learning_rate", "gradient_norm"} <= names
    assert {"validation/gap_r", "validation/width_r", "validation/gap_lag_frames"} <= names
    assert {"validation/closures_shut", "validation/silence_shut"} <= names
    assert [e.step for e in curves.Scalars("loss/total")] == [1, 2, 3, 4, 5, 6]
    assert [e.step for e in curves.Scalars("validation/gap_r")] == [2, 4, 6]


def test_the_learning_rate_warms_up_and_falls() -> None:
    config = tiny_config(optimizer={"warmup_steps": 10, "learning_rate": 1.0}).optimizer
    rates = [learning_rate(config, step, 100) for step in range(101)]
    assert np.argmax(rates) in (9, 10)
    assert (np.diff(rates[10:]) <= 0).all()
    assert rates[-1] == pytest.approx(0.05)
