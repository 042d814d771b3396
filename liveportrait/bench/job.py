"""What the benchmark is asked for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import torch

from models.errors import ConfigError
from models.weights import WEIGHTS_DIR

BenchDevice = Literal["auto", "cpu", "cuda"]
# a frame of the original takes about ten seconds on two cores, and half a dozen rows draw it
_DEFAULT_FRAMES = {"cpu": 3, "cuda": 64}
_DEFAULT_BATCH = {"cpu": 3, "cuda": 8}


@dataclass(frozen=True, slots=True)
class BenchJob:
    """One run. Raises ConfigError for counts that make no sense and for a device that is not there.

    ``frames``: that every row draws; by default 3 on a CPU, 64 on CUDA. ``batch``: of the rows that
    batch, by default 3 and 8. ``threads``: of the CPU's networks.
    """

    source: Path
    driving: Path
    out: Path  # a folder, made when it is not there
    frames: int | None = None
    batch: int | None = None
    device: BenchDevice = "auto"
    threads: int = 2
    workers: int = 2  # of the parallel paste-back
    weights: Path = WEIGHTS_DIR
    seeded_weights: bool = False  # made-up weights even where the official ones are

    def __post_init__(self) -> None:
        if self.device not in get_args(BenchDevice):
            raise ConfigError(
                f"device is {self.device!r}; accepted: {', '.join(get_args(BenchDevice))}"
            )
        if self.device == "cuda" and not torch.cuda.is_available():
            raise ConfigError("device is cuda, and torch sees no CUDA device here")
        for name, most in (("frames", 10_000), ("batch", 64), ("threads", 256), ("workers", 64)):
            value = getattr(self, name)
            if value is not None and not 1 <= value <= most:
                raise ConfigError(f"{name} is {value}; accepted: 1 to {most}")

    @property
    def real_device(self) -> Literal["cpu", "cuda"]:
        """``auto`` decided."""
        if self.device == "auto":
            return "cuda" if torch.cuda.is_available() else "cpu"
        return self.device

    @property
    def real_batch(self) -> int:
        return self.batch or _DEFAULT_BATCH[self.real_device]

    @property
    def real_frames(self) -> int:
        """A whole number of batches, so that every row draws the same frames in equal parts."""
        wanted = self.frames or _DEFAULT_FRAMES[self.real_device]
        return -(-wanted // self.real_batch) * self.real_batch
