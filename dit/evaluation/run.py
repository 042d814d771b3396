"""One evaluation: a generator, the clips of a split, unseen synthetic speech, a long stream."""

from dataclasses import dataclass
from pathlib import Path

from dit.evaluation.events import LipEvents, score_events, unseen_speech
from dit.evaluation.joints import BorderRatios, Drift, border_ratios, drift
from dit.evaluation.lips import ClipLips, LipSummary, LoudnessBaseline, score_lips, summarise
from dit.evaluation.liveliness import (
    Blinks,
    HeadMotion,
    count_blinks,
    head_motion,
    lids_shut,
)
from dit.evaluation.recordings import Recording, read_evaluated, read_recordings
from dit.evaluation.voices import SEED, generate, long_voice
from dit.generator import Mode, MotionGenerator
from dit.speech_corpus import CorpusItem
from models.errors import ConfigError
from models.held_out import TALKING_CLIPS, Split, Splits
from models.motion import Motion

SHORTEST_DRIFT_MINUTES = 2.0


@dataclass(frozen=True, slots=True)
class Judged:
    """What to judge by."""

    split: Split
    clips: list[Recording]
    baseline: LoudnessBaseline
    speech: list[CorpusItem]  # unseen, with phonemes; may be empty
    long_minutes: float  # of one uninterrupted stream, for borders and drift


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One mode's figures."""

    mode: Mode
    split: Split
    hop_frames: int
    lookahead_frames: int
    gap: LipSummary
    width: LipSummary
    events: LipEvents | None  # None without a speech corpus
    blinks: Blinks
    real_blinks: Blinks
    head: HeadMotion
    real_head: HeadMotion
    borders: BorderRatios
    long_minutes: float
    drift: Drift | None  # None below two minutes
    clips: list[ClipLips]


def gather(
    data: Path,
    split: Split,
    corpus: Path | None,
    *,
    items: int = 8,
    long_minutes: float = 10.0,
    splits: Splits = TALKING_CLIPS,
) -> Judged:
    """Read what to judge by. ``data`` was made by ``prepare``, ``corpus`` by ``speech-corpus``.

    Raises ConfigError when a folder holds nothing of the kind, or the long stream has no length.
    """
    if not long_minutes > 0:
        raise ConfigError(f"minutes is {long_minutes}; accepted: above 0")
    return Judged(
        split,
        read_evaluated(data, split, splits),
        LoudnessBaseline(read_recordings(data, "train", splits)),
        [] if corpus is None else unseen_speech(corpus, items),
        long_minutes,
    )


def evaluate(
    generator: MotionGenerator, judged: Judged, mode: Mode
) -> tuple[Evaluation, list[Motion]]:
    """Score one mode -> the figures, and the motion of every clip in ``judged.clips``.

    Raises ConfigError for an engine whose keypoints are not explicit face points.
    """
    if generator.engine != "lite":
        raise ConfigError(
            f"the checkpoint makes motion for engine {generator.engine!r}; lips, lids and gaze can "
            "be read off the lite engine's keypoints alone"
        )
    motions = [generate(generator, c.wave, mode)[: len(c.gap)] for c in judged.clips]
    lips = _lips(judged, motions)
    stream = generator.start(mode=mode, seed=SEED)
    voices = [item.wave for item in judged.speech] or [clip.wave for clip in judged.clips]
    long = generate(generator, long_voice(voices, judged.long_minutes), mode)
    return (
        Evaluation(
            mode=mode,
            split=judged.split,
            hop_frames=stream.hop_frames,
            lookahead_frames=stream.lookahead_frames,
            gap=summarise([clip.gap for clip in lips]),
            width=summarise([clip.width for clip in lips]),
            events=score_events(generator, judged.speech, mode) if judged.speech else None,
            blinks=count_blinks([lids_shut(long)]),
            real_blinks=count_blinks([clip.lids_shut for clip in judged.clips]),
            head=head_motion(motions),
            real_head=head_motion([clip.motion for clip in judged.clips]),
            borders=border_ratios(long, stream.hop_frames),
            long_minutes=judged.long_minutes,
            drift=drift(long) if judged.long_minutes >= SHORTEST_DRIFT_MINUTES else None,
            clips=lips,
        ),
        motions,
    )


def _lips(judged: Judged, motions: list[Motion]) -> list[ClipLips]:
    """Each clip against its own lips; the next clip lends another mouth."""
    clips = judged.clips
    scores = []
    for place, (clip, motion) in enumerate(zip(clips, motions, strict=True)):
        other = clips[(place + 1) % len(clips)] if len(clips) > 1 else None
        scores.append(score_lips(motion, clip, other, judged.baseline))
    return scores
