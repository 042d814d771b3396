"""The seeded LivePortrait networks and the golden arrays of the official implementation."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from liveportrait.networks.networks import Networks
from liveportrait.networks.seeded import seeded_networks
from models.shapes import AnyArray

GOLDEN = Path(__file__).resolve().parent / "golden" / "liveportrait"
Golden = Callable[[str], dict[str, AnyArray]]


@pytest.fixture(scope="session")
def seeded() -> Networks:
    """The five networks with the weights of the recipe; never change them in place."""
    return seeded_networks()


@pytest.fixture(scope="session")
def golden() -> Golden:
    """``golden("net_F")``: the arrays of a file; every call gives arrays of its own."""
    return golden_arrays


def golden_arrays(name: str) -> dict[str, AnyArray]:
    """The arrays of ``golden/liveportrait/NAME.npz``."""
    with np.load(GOLDEN / f"{name}.npz") as file:
        return {key: file[key] for key in file.files}


@cache
def golden_json(name: str) -> Any:
    """The contents of ``golden/liveportrait/NAME.json``."""
    return json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


def golden_image(name: str) -> AnyArray:
    """A PNG of the golden folder, uint8 [H, W, 3], RGB."""
    import cv2

    image = cv2.imread(str(GOLDEN / f"{name}.png"), cv2.IMREAD_COLOR)
    assert image is not None, name
    return np.ascontiguousarray(image[..., ::-1])


def golden_input(name: str) -> torch.Tensor:
    """``golden_image`` as the networks take it: float32 0..1 [1, 3, H, W]."""
    image = golden_image(name).transpose(2, 0, 1)[None]
    return torch.from_numpy(image.astype(np.float32) / 255)
