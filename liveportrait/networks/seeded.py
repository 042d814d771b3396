"""Weights made from a seed: any machine can build the same networks without the official files.

They make no sensible picture, but every tensor takes part in it: what the official code computes
with them is in ``tests/golden/liveportrait``. The recipe is in the README there.
"""

import math
import zlib

import torch
from torch import Tensor, nn

from liveportrait.networks.networks import Networks, empty_networks

SEED = 20261120


def seeded_networks(seed: int = SEED) -> Networks:
    """The five networks with weights from a seed."""
    networks = empty_networks()
    for tag, module in networks.by_official_name().items():
        seed_weights(module, tag, seed)
    return networks


def seed_weights(module: nn.Module, tag: str, seed: int = SEED) -> None:
    """Give a network new tensors; ``tag`` is its official name (``Networks.by_official_name``).

    Gains of sqrt(2) keep activations alive through the ReLUs. ``weight_v`` is W^T u normalised, so
    that the spectral norm u^T W v is a true gain and not a number near zero.
    """
    state = {name: _seeded(tag, name, like, seed) for name, like in module.state_dict().items()}
    for name in state:
        if name.endswith("weight_v"):
            stem = name.removesuffix("weight_v")
            weight = state[f"{stem}weight_orig"].flatten(1).double()
            v = weight.T @ state[f"{stem}weight_u"].double()
            state[name] = (v / v.norm()).float()
    module.load_state_dict(state, strict=True, assign=True)


def _seeded(tag: str, name: str, like: Tensor, seed: int) -> Tensor:
    if not like.is_floating_point():
        return torch.zeros(like.shape, dtype=like.dtype)  # num_batches_tracked
    generator = torch.Generator().manual_seed(zlib.crc32(f"{tag}.{name}".encode()) ^ seed)
    r: Tensor = torch.randn(tuple(like.shape), generator=generator)
    match name.rsplit(".", 1)[-1]:
        case "running_var":
            return 1 + 0.1 * r.abs()
        case "running_mean" | "bias" | "beta":
            return 0.1 * r
        case "gamma":
            return 0.5 * r
        case "weight_u":
            unit: Tensor = r / r.norm()
            return unit
    if like.ndim == 1:  # the weight of a normalisation
        return 1 + 0.1 * r
    scaled: Tensor = r * (math.sqrt(2) / math.sqrt(like.numel() / like.shape[0]))
    return scaled
