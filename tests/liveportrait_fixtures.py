"""The seeded LivePortrait networks and the golden arrays of the official implementation."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

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
