"""What a run says: a line for people, and scalars for TensorBoard."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dit.training.validation import Scores


class TrainingLog:
    """Written by the first rank; the others' says and writes nothing.

    ``folder``: for TensorBoard's file; None, or a machine without the package, goes without.
    """

    def __init__(
        self, say: Callable[[str], None], folder: Path | None = None, first_step: int = 0
    ) -> None:
        self._say, self._board = say, _board(folder, first_step, say)
        self._seen = (first_step, time.perf_counter())

    def steps(self, step: int, means: dict[str, float], rate: float) -> None:
        """Loss terms and the gradient's norm, means since the last call."""
        now = time.perf_counter()
        speed = (step - self._seen[0]) / (now - self._seen[1])
        self._seen = (step, now)
        self._write(step, {**means, "learning_rate": rate, "steps_per_second": speed})
        self._say(f"step {step}  loss {means['loss/total']:.4f}  {speed:.2f} steps/s")

    def scores(self, step: int, scores: Scores) -> None:
        """Of people left out."""
        named = scores.named()
        self._write(step, {f"validation/{name}": value for name, value in named.items()})
        self._say(f"step {step}  " + "  ".join(f"{k} {v:.3f}" for k, v in named.items()))

    def close(self) -> None:
        """Everything is on disk afterwards."""
        if self._board is not None:
            self._board.close()

    def _write(self, step: int, scalars: dict[str, float]) -> None:
        if self._board is not None:
            for name, value in scalars.items():
                self._board.add_scalar(name, value, step)


def _board(folder: Path | None, first_step: int, say: Callable[[str], None]) -> Any:
    if folder is None:
        return None
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        say("no curves: the package tensorboard is not installed (pip install visavis[train])")
        return None
    # a resumed run overwrites what was logged after the saved state
    return SummaryWriter(str(folder), purge_step=first_step or None)
