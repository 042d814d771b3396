"""What ``python -m dit evaluate`` was asked for, checked once, and done."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from dit.evaluation.report import markdown, write_report
from dit.evaluation.run import Evaluation, Judged, evaluate, gather
from dit.evaluation.sheet import write_sheet
from dit.evaluation.stage_times import measure_stages
from dit.generator import Mode, MotionGenerator
from models.device import DevicePolicy
from models.errors import ConfigError
from models.held_out import SPLITS, TALKING_CLIPS, Split, Splits
from models.motion import Motion
from models.speech_encoder import EncoderWindow, SpeechEncoder
from models.speech_networks import load_speech_network

MODES: tuple[Mode, ...] = get_args(Mode)
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class EvaluateJob:
    """One run of the command.

    Raises ConfigError for a mode or split that does not exist.
    """

    data: Path
    checkpoint: Path
    encoder: Path
    speech: Path | None
    report: Path | None
    modes: list[str] | None
    split_name: str
    splits_file: Path | None
    minutes: float
    hop_frames: int
    lookahead_frames: int

    def __post_init__(self) -> None:
        for mode in self.modes or ():
            if mode not in MODES:
                raise ConfigError(f"mode is {mode!r}; accepted: {', '.join(MODES)}")
        if self.split_name not in SPLITS:
            raise ConfigError(f"split is {self.split_name!r}; accepted: {', '.join(SPLITS)}")

    @property
    def split(self) -> Split:
        """The split that is judged."""
        return next(split for split in SPLITS if split == self.split_name)

    @property
    def asked_modes(self) -> list[Mode]:
        """All modes when none was named."""
        return [mode for mode in MODES if self.modes is None or mode in self.modes]


def run_job(job: EvaluateJob, bench: bool, command: str, say: Say) -> str:
    """Evaluate, write what was asked for, return the report; ``say`` hears how far it is.

    Raises ConfigError, WeightsError and its kinds as the parts do.
    """
    splits = TALKING_CLIPS if job.splits_file is None else Splits.load(job.splits_file)
    judged = gather(job.data, job.split, job.speech, long_minutes=job.minutes, splits=splits)
    policy = DevicePolicy.for_this_machine()
    network = load_speech_network(job.encoder)
    window = EncoderWindow(network.left_frames, job.hop_frames, job.lookahead_frames)
    encoder = SpeechEncoder(network, policy, window)
    generator = MotionGenerator.load(job.checkpoint, encoder, policy)
    evaluations = []
    for mode in job.asked_modes:
        say(f"{mode}: {len(judged.clips)} clips, a stream of {job.minutes:g} minutes")
        one, motions = evaluate(generator, judged, mode)
        evaluations.append(one)
        if job.report is not None:
            _write_sheet(job.report, judged, one, motions)
    times = measure_stages(generator) if bench else None
    if job.report is not None:
        write_report(evaluations, times, job.report, command)
        say(f"{job.report}: EVALUATION.md, evaluation.json, lips-*.png")
    return markdown(evaluations, times, command)


def _write_sheet(folder: Path, judged: Judged, one: Evaluation, motions: list[Motion]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"lips-{one.mode}.png"
    write_sheet(path, judged.clips, motions, one.clips, judged.baseline)
