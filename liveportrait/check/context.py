"""What the stages of the check share: options, networks, the clock, what is measured."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from liveportrait.check.png import read_png
from liveportrait.networks.networks import Networks
from models.device import Device, DevicePolicy, Precision
from models.shapes import AnyArray, FloatArray, Image

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "liveportrait"
Stage = dict[str, Any]  # what a stage found; "ok" says whether what it requires holds


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """``quick`` has tiny counts, for a dry run; ``budget_s`` for the whole command."""

    device: Device
    out: Path
    quick: bool = False
    budget_s: float = 460.0
    golden: Path = GOLDEN
    networks: tuple[str, ...] = ("F", "M", "W", "G", "S")  # whose parity is looked at


@dataclass(slots=True)
class CheckContext:
    """One run. ``say`` prints a line of progress."""

    options: CheckOptions
    networks: Networks
    say: Callable[[str], None] = print
    started: float = field(default_factory=time.monotonic)
    best: Precision | None = None  # the fastest, once the timing is done

    @property
    def device(self) -> torch.device:
        return torch.device(self.options.device)

    @property
    def remaining_s(self) -> float:
        """What is left of the budget."""
        return self.options.budget_s - (time.monotonic() - self.started)

    @property
    def half_precisions(self) -> tuple[Precision, ...]:
        """What the device multiplies faster than float32; a CPU's dry run leaves it."""
        return ("fp16", "bf16") if self.options.device == "cuda" else ()

    def policy(self, precision: Precision) -> DevicePolicy:
        return DevicePolicy(self.options.device, precision)

    def golden(self, name: str) -> dict[str, AnyArray]:
        """The arrays of ``NAME.npz`` of the official implementation."""
        with np.load(self.options.golden / f"{name}.npz") as file:
            return {key: file[key] for key in file.files}

    def image(self, name: str) -> Image:
        """A picture of the golden folder, RGB [256, 256, 3]."""
        return read_png((self.options.golden / f"{name}.png").read_bytes())

    def keypoints(self) -> tuple[FloatArray, FloatArray]:
        """Source [1, K, 3] and driving keypoints [3, K, 3] of the golden warps."""
        warp = self.golden("net_W")
        names = ("kp_driving", "kp_driving_2", "kp_source")
        return warp["kp_source"], np.concatenate([warp[name] for name in names])
