"""What a stopped run needs to go on as if it had not been stopped.

Batches depend on (seed, step) alone (dit/training/windows.py), so the data's order needs no state
but the step. Random numbers that do have one are dropout's, of each rank.
"""

import math
import pickle
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from dit.model import MotionDiT
from dit.training.distributed import Place, of_all_ranks
from models.errors import WeightsError

STATE_FILE = "state.pt"


@dataclass
class TrainState:
    """Of a run between two steps."""

    network: MotionDiT
    ema: MotionDiT  # moving average of the network's weights
    optimizer: torch.optim.Optimizer
    step: int = 0  # the next one
    best: float = -math.inf  # validation score

    def average(self, most: float) -> None:
        """Move the average on; the first steps count more, so that the start is soon forgotten."""
        decay = min(most, (1 + self.step) / (10 + self.step))
        kept = [p.data for p in self.ema.parameters()]
        new = [p.detach() for p in self.network.parameters()]
        torch._foreach_lerp_(kept, new, 1 - decay)


def ema_of(network: MotionDiT) -> MotionDiT:
    """A copy that is never trained."""
    return deepcopy(network).eval().requires_grad_(False)


def save_state(state: TrainState, out: Path, fingerprint: str, place: Place) -> None:
    """Into ``out/state.pt``, whole or not at all. All ranks take part, the first one writes."""
    generators = of_all_ranks(_generators(place), place)
    if not place.first:
        return
    out.mkdir(parents=True, exist_ok=True)
    values = {
        "config": fingerprint,
        "world": place.world,
        "step": state.step,
        "best": state.best,
        "network": state.network.state_dict(),
        "ema": state.ema.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "generators": generators,
    }
    part = out / f"{STATE_FILE}.part"
    torch.save(values, part)
    part.replace(out / STATE_FILE)


def load_state(state: TrainState, out: Path, fingerprint: str, place: Place) -> None:
    """Go on where ``save_state`` left off.

    Raises WeightsError when the run had other settings, another number of processes, or the file is
    damaged.
    """
    path = out / STATE_FILE
    try:
        values: dict[str, Any] = torch.load(path, map_location=place.device, weights_only=True)
        settings, world = values["config"], values["world"]
    except (OSError, RuntimeError, KeyError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise WeightsError(f"{path} is no state of a training run: {error}") from error
    if settings != fingerprint:
        raise WeightsError(f"{out} was trained with other settings; choose another folder")
    if world != place.world:
        raise WeightsError(
            f"{out} was trained by {world} processes; start as many again, or choose another folder"
        )
    state.step, state.best = int(values["step"]), float(values["best"])
    state.network.load_state_dict(values["network"])
    state.ema.load_state_dict(values["ema"])
    state.optimizer.load_state_dict(values["optimizer"])
    _restore(values["generators"][place.rank], place)


def _generators(place: Place) -> dict[str, torch.Tensor]:
    found = {"cpu": torch.get_rng_state()}
    if place.device.type == "cuda":
        found["cuda"] = torch.cuda.get_rng_state(place.device)
    return found


def _restore(generators: dict[str, torch.Tensor], place: Place) -> None:
    torch.set_rng_state(generators["cpu"].cpu())
    if place.device.type == "cuda" and "cuda" in generators:
        torch.cuda.set_rng_state(generators["cuda"].cpu(), place.device)
