"""What ``python -m dit prepare`` does, apart from reading its options."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dit.preparation.clip import Job
from dit.preparation.page import PAGE_FILE
from dit.preparation.report import REPORT_FILE, Totals
from dit.preparation.run import prepare_folder
from dit.preparation.settings import PrepareSettings, settings_of
from dit.preparation.spoken import encode_corpus
from models.device import DevicePolicy
from models.held_out import TALKING_CLIPS, Splits
from models.speech_encoder import SpeechEncoder


@dataclass(frozen=True, slots=True)
class Preparation:
    """The options of one call."""

    clips: Path
    out: Path
    engine: str
    encoder: Path
    weights: Path
    config: Path | None = None  # instead of the engine's own
    splits: Path | None = None  # instead of the talking clips'
    speech: Path | None = None  # a corpus to encode, too
    tracks_only: bool = False
    processes: int = 1
    ray: bool = False
    seeded_weights: bool = False


def prepare(asked: Preparation, report: Callable[[str], None]) -> None:
    """Clips into shards, a speech corpus into features; ``report`` hears the sums.

    Raises a VisavisError for settings, weights and folders that are not as they must be.
    """
    settings = PrepareSettings.load(asked.config) if asked.config else settings_of(asked.engine)
    job = Job(
        asked.out,
        settings,
        Splits.load(asked.splits) if asked.splits else TALKING_CLIPS,
        asked.weights,
        None if asked.tracks_only else asked.encoder,
        asked.seeded_weights,
    )
    totals = prepare_folder(job, asked.clips, processes=asked.processes, ray=asked.ray)
    for line in summary(totals, asked.out):
        report(line)
    if asked.speech is not None and not asked.tracks_only:
        encoder = SpeechEncoder.load(asked.encoder, DevicePolicy.for_this_machine())
        count = encode_corpus(asked.speech, asked.out, encoder)
        report(f"{count} items of speech encoded")


def summary(totals: Totals, out: Path) -> list[str]:
    """The sums of a run as lines for people."""
    lines = [
        f"{totals.kept} of {totals.stretches} stretches kept: {totals.kept_seconds / 60:.1f} of "
        f"{totals.seconds / 60:.1f} minutes of {totals.clips} clips"
    ]
    for split, seconds in sorted(totals.kept_seconds_by_split.items()):
        lines.append(f"  {split}: {seconds / 60:.1f} minutes")
    for reason, count in totals.left_out_by_reason.most_common():
        lines.append(f"  left out, {reason}: {count}")
    if totals.broken:
        lines.append(f"  clips that cannot be read: {totals.broken}")
    lines.append(f"{out / PAGE_FILE} shows them, {out / REPORT_FILE} has every reason")
    return lines
