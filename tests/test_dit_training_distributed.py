"""Two processes that talk through gloo; their dropout differs, and comes back on resuming."""

import multiprocessing
import os
import socket
from pathlib import Path

import numpy as np
import pytest
import torch

from dit.training.distributed import averaged, joined, of_all_ranks
from dit.training.log import TrainingLog
from dit.training.loop import Trainer
from dit.training.state import STATE_FILE
from models.errors import ConfigError
from tests.training_fixtures import flat_weights, tiny_config, tiny_set

CONFIG = tiny_config(network={"dropout": 0.5})


def as_rank(rank: int, port: int, folder: Path) -> None:
    """A whole run; the same in two parts; both ends and the saved states are written down."""
    torch.set_num_threads(1)
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE="2")
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    silent = TrainingLog(lambda _line: None)
    with joined("cpu") as place:
        assert of_all_ranks(place.rank, place) == [0, 1]
        assert averaged(torch.tensor([float(rank)]), place).item() == 0.5
        whole = Trainer(CONFIG, tiny_set(), place)
        whole.run(folder / "whole", silent)
        Trainer(CONFIG, tiny_set(), place).run(folder / "part", silent, until=3)
        resumed = Trainer(CONFIG, tiny_set(), place)
        resumed.resume(folder / "part")
        resumed.run(folder / "part", silent)
        weights = [flat_weights(t.state.network) for t in (whole, resumed)]
        np.save(folder / f"weights{rank}.npy", np.stack(weights))


def test_two_ranks_stay_together_and_resume_exactly(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("spawn")
    ranks = [context.Process(target=as_rank, args=(r, port, tmp_path)) for r in range(2)]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join()
    assert [rank.exitcode for rank in ranks] == [0, 0]
    first, second = (np.load(tmp_path / f"weights{rank}.npy") for rank in range(2))
    np.testing.assert_array_equal(first, second)  # the ranks' networks are one network
    np.testing.assert_array_equal(first[0], first[1])  # whole and resumed
    state = torch.load(tmp_path / "part" / STATE_FILE, weights_only=True)
    assert state["world"] == 2
    assert not torch.equal(state["generators"][0]["cpu"], state["generators"][1]["cpu"])


def test_one_process_needs_nobody() -> None:
    with joined("cpu") as place:
        assert (place.rank, place.world, place.first) == (0, 1, True)
        assert of_all_ranks("alone", place) == ["alone"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_said() -> None:
    with pytest.raises(ConfigError, match="torch sees none"), joined("cuda"):
        pass
