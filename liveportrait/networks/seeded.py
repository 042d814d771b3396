"""Weights made from a seed: any machine can build the same networks without the official files.

They make no sensible picture, but every tensor takes part in it: what the official code computes
with them is in ``tests/golden/liveportrait``. The recipe is in the README there.
"""

import math
import zlib

import torch
from torch import Tensor, nn

from liveportrait.networks.networks import Networks, new_networks

SEED = 20261120


def seeded_networks(seed: int = SEED) -> Networks:
    """The five networks with weights from a seed."""
    networks = new_networks()
    for tag, module in networks.by_official_name().items():
        seed_weights(module, tag, seed)
    return networks


@torch.no_grad()
def seed_weights(module: nn.Module, tag: str, seed: int = SEED) -> None:
    """Fill a network's tensors; ``tag`` is its official name (``Networks.by_official_name``).

    Gains of sqrt(2) keep activations alive through the ReLUs. ``weight_v`` is W^T u normalised, so
    that the spectral norm u^T W v is a true gain and not a number near zero.
    """
    state = module.state_dict()
    for name, tensor in state.items():
        if tensor.is_floating_point():
            tensor.copy_(_seeded(tag, name, tensor, seed))
    for name, tensor in state.items():
        if name.endswith("weight_v"):
            stem = name.removesuffix("weight_v")
            weight = state[f"{stem}weight_orig"].flatten(1).double()
            v = weight.T @ state[f"{stem}weight_u"].double()
            tensor.copy_(v / v.norm())


def _seeded(tag: str, name: str, like: Tensor, seed: int) -> Tensor:
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
            return r / r.norm()
    if like.ndim == 1:  # the weight of a normalisation
        return 1 + 0.1 * r
    scaled: Tensor = r * (math.sqrt(2) / math.sqrt(like.numel() / like.shape[0]))
    return scaled
