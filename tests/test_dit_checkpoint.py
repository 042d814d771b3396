"""Checkpoints: written, read, and refused for a stated reason."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from dit.checkpoint import CONFIG_FILE, WEIGHTS_FILE, load_checkpoint, save_checkpoint
from models.errors import EngineMismatchError, MissingWeightsError, WeightsError
from tests.dit_fixtures import tiny_checkpoint


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_checkpoint(tiny_checkpoint(), tmp_path / "motion")
    return tmp_path / "motion"


def test_what_is_read_is_what_was_written(saved: Path) -> None:
    before, after = tiny_checkpoint(), load_checkpoint(saved, "lite")
    assert after.sampling == before.sampling
    assert after.engine == "lite"
    assert after.encoder == "tiny"
    np.testing.assert_array_equal(after.layout.spread, before.layout.spread)
    np.testing.assert_array_equal(after.projection.basis, before.projection.basis)
    for key, value in before.network.state_dict().items():
        assert torch.equal(after.network.state_dict()[key], value)


def test_another_engine_is_refused(saved: Path) -> None:
    with pytest.raises(EngineMismatchError, match="'lite', not for 'liveportrait'"):
        load_checkpoint(saved, "liveportrait")


def test_missing_files_name_the_command(tmp_path: Path, saved: Path) -> None:
    with pytest.raises(MissingWeightsError, match="dit train"):
        load_checkpoint(tmp_path / "nothing")
    (saved / WEIGHTS_FILE).unlink()
    with pytest.raises(MissingWeightsError, match=WEIGHTS_FILE):
        load_checkpoint(saved)


@pytest.mark.parametrize("name", [CONFIG_FILE, WEIGHTS_FILE])
@pytest.mark.parametrize("content", [b"", b"not what it says", b'{"format": "other"}'])
def test_damaged_files_are_refused(saved: Path, name: str, content: bytes) -> None:
    (saved / name).write_bytes(content)
    with pytest.raises(WeightsError, match=name):
        load_checkpoint(saved)


def test_weights_that_do_not_fit_the_config_are_refused(saved: Path) -> None:
    config = json.loads((saved / CONFIG_FILE).read_text())
    config["network"]["width"] = 64
    (saved / CONFIG_FILE).write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="no motion checkpoint"):
        load_checkpoint(saved)


def test_weights_that_are_not_numbers_are_refused(saved: Path) -> None:
    tensors = load_file(saved / WEIGHTS_FILE)
    tensors["network.motion_out.bias"][0] = float("nan")
    save_file(tensors, saved / WEIGHTS_FILE)
    with pytest.raises(WeightsError, match="finite"):
        load_checkpoint(saved)
