"""``python -m dit train`` as a user starts it: killed, resumed, and as two processes."""

import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from dit.checkpoint import load_checkpoint
from dit.training.command import train
from dit.training.config import load_config
from dit.training.state import STATE_FILE
from dit.training.training_set import load_training_set
from models.errors import ConfigError, WeightsError
from models.shapes import FloatArray
from tests.conftest import ROOT
from tests.training_fixtures import flat_weights, write_tiny_shards

SETTINGS = {
    "steps": 40,
    "network": {"width": 16, "layers": 1, "heads": 2, "dropout": 0.1},
    "optimizer": {"warmup_steps": 5},
    "data": {"batch": 4, "components": 4},
    "run": {"device": "cpu", "log_every": 5, "validate_every": 20, "save_every": 5},
}
ENCODER = Path("tiny")  # no directory: an encoder without a phoneme head


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_tiny_shards(tmp_path / "data/shards")
    return tmp_path / "data"


def settings_file(folder: Path, **changes: object) -> Path:
    path = folder / "train.yaml"
    path.write_text(yaml.safe_dump({**SETTINGS, **changes}))
    return path


def final_weights(out: Path) -> FloatArray:
    return flat_weights(load_checkpoint(out / "last").network)


def command(data: Path, out: Path, config: Path, *launcher: str) -> list[str]:
    options = ["--config", str(config), "--encoder", str(ENCODER)]
    return [sys.executable, *launcher, "-m", "dit", "train", str(data), str(out), *options]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def test_a_killed_run_goes_on_as_if_nothing_had_happened(data: Path, tmp_path: Path) -> None:
    path = settings_file(tmp_path)
    train(data, tmp_path / "whole", load_config(path), ENCODER, lambda _line: None)
    with subprocess.Popen(
        command(data, tmp_path / "killed", path),
        stdout=subprocess.PIPE,
        env=environment(),
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("step 15 "):
                process.send_signal(signal.SIGKILL)
                break
    saved = torch.load(tmp_path / "killed" / STATE_FILE, weights_only=True)["step"]
    assert 10 <= saved < 40
    lines: list[str] = []
    train(data, tmp_path / "killed", load_config(path), ENCODER, lines.append)
    assert f"going on with step {saved}" in lines
    np.testing.assert_array_equal(
        final_weights(tmp_path / "killed"), final_weights(tmp_path / "whole")
    )


def test_two_processes_train_like_one_with_their_batches_together(
    data: Path, tmp_path: Path
) -> None:
    network = {"width": 16, "layers": 1, "heads": 2, "dropout": 0.0}
    # 26 short or 2 long windows a step: both can be shared by two
    batch = {"batch": 26, "short_window_frames": 5, "components": 4}
    path = settings_file(tmp_path, steps=10, network=network, data=batch)
    lines: list[str] = []
    train(data, tmp_path / "one", load_config(path), ENCODER, lines.append)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torchrun = ("-m", "torch.distributed.run", "--nproc-per-node", "2", f"--master-port={port}")
    finished = subprocess.run(
        command(data, tmp_path / "two", path, *torchrun),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert finished.returncode == 0, finished.stderr
    one, two = final_weights(tmp_path / "one"), final_weights(tmp_path / "two")
    # Adam makes much of the last digit of the smallest gradients
    assert np.linalg.norm(two - one) < 1e-4 * np.linalg.norm(one)
    losses = [
        [line.split("steps/s")[0].rsplit("  ", 1)[0] for line in said if "loss" in line]
        for said in (lines, finished.stdout.splitlines())
    ]
    assert losses[0] == losses[1]  # to four digits, once each: the second process is silent
    with pytest.raises(WeightsError, match="trained by 2 processes"):
        train(data, tmp_path / "two", load_config(path), ENCODER, lines.append)


def test_a_set_larger_than_memory_is_streamed(data: Path, tmp_path: Path) -> None:
    streamed = {"batch": 4, "components": 4, "pool_tars": 2, "pool_steps": 3, "workers": 2}
    path = settings_file(tmp_path, steps=8, data=streamed)
    train(data, tmp_path / "out", load_config(path), ENCODER, lambda _line: None)
    assert torch.load(tmp_path / "out" / STATE_FILE, weights_only=True)["step"] == 8


def test_people_left_out_are_not_trained_on(data: Path) -> None:
    config = load_config(ROOT / "configs/train/default.yaml", ["data.components=4"])
    loaded = load_training_set(data, config, ENCODER)
    assert len(loaded.validation) == 1  # and neither is the clip of the split test
    assert len(loaded.clips.pool(None, 0).sequences) == 6  # type: ignore[arg-type]
    assert loaded.speech is None
    assert loaded.projection.channels == 4 + 2
    assert loaded.encoder == "tiny"


def test_missing_devices_and_data_are_named(data: Path, tmp_path: Path) -> None:
    config = load_config(settings_file(tmp_path))
    if not torch.cuda.is_available():
        wanting = replace(config, run=replace(config.run, device="cuda"))
        with pytest.raises(ConfigError, match="accepted here: auto, cpu"):
            train(data, tmp_path / "out", wanting, ENCODER, lambda _line: None)
    finished = subprocess.run(
        command(tmp_path / "nothing", tmp_path / "out", settings_file(tmp_path)),
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 1
    assert "dit prepare" in finished.stderr
    assert "Traceback" not in finished.stderr
