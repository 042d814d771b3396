"""One process or several: what ``torchrun`` says, and what the processes tell each other.

Without torchrun's variables everything here is for one process and does nothing.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from models.errors import ConfigError

PATIENCE = timedelta(hours=1)  # while one rank validates


@dataclass(frozen=True, slots=True)
class Place:
    """This process among all of them."""

    rank: int = 0
    world: int = 1
    device: torch.device = torch.device("cpu")  # noqa: RUF009

    @property
    def first(self) -> bool:
        """The one process that writes files and speaks."""
        return self.rank == 0


@contextmanager
def joined(device: str) -> Iterator[Place]:
    """Find this process's place and join the others; ``device``: auto, cpu or cuda.

    Raises ConfigError when cuda is asked for and there is none.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("run.device is cuda, but torch sees none; accepted here: auto, cpu")
    cuda = device != "cpu" and torch.cuda.is_available()
    world = int(os.environ.get("WORLD_SIZE", "1"))
    local = int(os.environ.get("LOCAL_RANK", "0"))
    chosen = torch.device("cuda", local) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(chosen)
    if world == 1:
        yield Place(0, 1, chosen)
        return
    dist.init_process_group("nccl" if cuda else "gloo", timeout=PATIENCE)
    try:
        yield Place(dist.get_rank(), dist.get_world_size(), chosen)
    finally:
        dist.destroy_process_group()


def shared_between_ranks(network: nn.Module, place: Place) -> nn.Module:
    """The network whose gradients are averaged over all ranks."""
    if place.world == 1:
        return network
    ids = [place.device.index] if place.device.type == "cuda" else None
    return DistributedDataParallel(network, device_ids=ids)


def averaged(values: Tensor, place: Place) -> Tensor:
    """Mean over the ranks."""
    if place.world == 1:
        return values
    total = values.clone()
    dist.all_reduce(total)
    return total / place.world


def of_all_ranks(value: Any, place: Place) -> list[Any]:
    """Everybody's value, by rank."""
    if place.world == 1:
        return [value]
    gathered: list[Any] = [None] * place.world
    dist.all_gather_object(gathered, value)
    return gathered


def wait_for_all(place: Place) -> None:
    """Go on when everybody has come here."""
    if place.world > 1:
        dist.barrier()
