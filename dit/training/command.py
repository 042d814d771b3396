"""``python -m dit train``, in one process or as many as torchrun starts."""

from collections.abc import Callable
from pathlib import Path

import torch

from dit.training.config import TrainConfig
from dit.training.distributed import joined
from dit.training.log import TrainingLog
from dit.training.loop import Trainer
from dit.training.state import STATE_FILE
from dit.training.training_set import load_training_set

CURVES = "curves"  # folder of TensorBoard's files


def train(
    data: Path, out: Path, config: TrainConfig, encoder: Path, say: Callable[[str], None]
) -> None:
    """Train, or go on with the run in ``out``. The result is ``out/best``.

    ``say`` gets lines for people, from the first process alone. Raises VisavisError for what the
    user can mend: settings, data, a run with other settings in ``out``.
    """
    torch.set_num_threads(config.run.threads)
    with joined(config.run.device) as place:
        report = say if place.first else _nothing
        loaded = load_training_set(data, config, encoder)
        trainer = Trainer(config, loaded, place)
        if (out / STATE_FILE).is_file():
            trainer.resume(out)
            report(f"going on with step {trainer.state.step}")
        log = TrainingLog(report, out / CURVES if place.first else None, trainer.state.step)
        trainer.run(out, log)
        log.close()


def _nothing(_line: str) -> None:
    pass
