"""Seeded weights in the form of published motion generators, by the recipe of golden/motion."""

import json
import math
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.shapes import AnyArray

GOLDEN = Path(__file__).resolve().parent / "golden" / "motion"


def golden_motion(name: str) -> dict[str, AnyArray]:
    """The arrays of ``golden/motion/NAME.npz``; half floats widened, as they were used."""
    with np.load(GOLDEN / f"{name}.npz") as file:
        arrays = {key: file[key] for key in file.files}
    return {k: v.astype(np.float32) if v.dtype == np.float16 else v for k, v in arrays.items()}


@cache
def tensor_list(generator: str) -> Any:
    """``golden/motion/GENERATOR/state_dict.json``: seed, and every tensor of the official class."""
    return json.loads((GOLDEN / generator / "state_dict.json").read_text(encoding="utf-8"))


def seeded_tensor(name: str, shape: tuple[int, ...], seed: int) -> Tensor:
    """The recipe: one generator per tensor, so that their order does not matter."""
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()) ^ seed)
    values = torch.randn(shape, generator=generator)
    if name.endswith("original0"):
        return 2 * (1 + 0.1 * values)
    if len(shape) >= 2:
        return values if shape[0] == 1 else values / math.sqrt(values.numel() / shape[0])
    return 1 + 0.1 * values if name.endswith("weight") else 0.1 * values


def seeded_parameters(generator: str) -> dict[str, Tensor]:
    """All trained tensors of a published generator."""
    listed = tensor_list(generator)
    return {
        tensor["name"]: seeded_tensor(tensor["name"], tuple(tensor["shape"]), listed["seed"])
        for tensor in listed["tensors"]
        if tensor["kind"] == "param"
    }
