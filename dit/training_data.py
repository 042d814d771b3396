"""From the folder that ``python -m dit prepare`` filled to what the trainer reads."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dit.alignment import Alignment, VoiceToMouth, align, fit_voice_to_mouth
from dit.articulation import Style, articulate
from dit.condition import (
    PhonemeHead,
    VoiceProjection,
    load_phoneme_head,
    principal_projection,
)
from dit.dataset import (
    NO_PAST,
    Sequence,
    SpokenItem,
    load_shards,
    real_sequences,
    sequence_of,
)
from dit.layout import MotionLayout, layout_of
from dit.prepare import Shard
from dit.speech_phonemes import PhonemeTimes
from dit.synthetic import articulators_of, mouth_basis
from dit.train import TrainingData
from models.speech import SpeechFeatures

HELD_OUT_EVERY = 20  # of the speech corpus; kept for counting closures
FITTED_FRAMES = 60_000  # are plenty for principal components


@dataclass(frozen=True, slots=True)
class SpokenFeatures:
    """One item of the speech corpus, encoded."""

    name: str
    times: PhonemeTimes
    voice: SpeechFeatures


def load_spoken(folder: Path, held_out: bool) -> list[SpokenFeatures]:
    """Items of the corpus that are trained on, or the twentieth that is not."""
    items = []
    for index, path in enumerate(sorted(folder.glob("*.npz"))):
        if (index % HELD_OUT_EVERY == 0) != held_out:
            continue
        with np.load(path) as stored:
            times = PhonemeTimes(
                tuple(str(s) for s in stored["symbols"]), stored["start_s"], stored["end_s"]
            )
            voice = SpeechFeatures(stored["embeddings"].astype(np.float32), stored["loudness_db"])
        items.append(SpokenFeatures(path.stem, times, voice))
    return items


def load_training_data(
    folder: Path, engine: str, encoder: Path, components: int
) -> tuple[TrainingData, dict[str, Alignment]]:
    """Everything the trainer needs, and how each clip's sound was found to lie.

    ``encoder``: the directory of the encoder that the data was made with, for its phoneme head.
    Raises ValueError when the folder holds no shards.
    """
    shards = load_shards(folder / "shards", held_out=False)
    validation = load_shards(folder / "shards", held_out=True)
    spoken = load_spoken(folder / "spoken", held_out=False)
    head = load_phoneme_head(encoder, shards[0].voice.dim)
    projection = fit_projection(shards, spoken, components, head)
    layout = layout_of(engine, [s.motion for s in shards])
    items = [
        SpokenItem(s.name, s.times, projection.condition(s.voice, NO_PAST), s.voice.loudness_db)
        for s in spoken
    ]
    alignments = align_shards(shards, items, projection) if items else {}
    real = [
        aligned_sequence(shard, alignments.get(shard.name), projection, layout)
        for shard in shards
        if shard.name not in alignments or alignments[shard.name].trusted
    ]
    data = TrainingData(
        layout,
        projection,
        encoder.resolve().name,
        real,
        items,
        [s.motion for s in shards],
        mouth_basis([s.motion.exp for s in shards]),
        real_sequences(validation, projection, layout),
    )
    return data, alignments


def fit_projection(
    shards: list[Shard], spoken: list[SpokenFeatures], components: int, head: PhonemeHead
) -> VoiceProjection:
    """Principal components over real and synthetic voices, beside the encoder's phonemes."""
    embeddings = np.concatenate(
        [s.voice.embeddings for s in shards] + [s.voice.embeddings for s in spoken]
    )
    every = max(1, len(embeddings) // FITTED_FRAMES)
    return principal_projection(embeddings[::every], components, head)


def align_shards(
    shards: list[Shard], items: list[SpokenItem], projection: VoiceProjection
) -> dict[str, Alignment]:
    """Where each clip's sound lies against its picture."""
    guess = voice_to_mouth(items)
    return {
        s.name: align(guess(projection.condition(s.voice, NO_PAST)), articulators_of(s.motion.exp))
        for s in shards
    }


def voice_to_mouth(items: list[SpokenItem]) -> VoiceToMouth:
    """The linear map of the synthetic pairs, one usual speaker for all."""
    mouths = [articulate(i.times, i.loudness_db, Style()).articulators for i in items]
    return fit_voice_to_mouth([i.low_rank for i in items], mouths)


def aligned_sequence(
    shard: Shard, alignment: Alignment | None, projection: VoiceProjection, layout: MotionLayout
) -> Sequence:
    """A clip with its sound moved to where it belongs."""
    condition = projection.condition(shard.voice, NO_PAST)
    motion, lag = shard.motion, alignment.lag if alignment else 0
    if lag > 0:
        motion, condition = motion[:-lag], condition[lag:]
    elif lag < 0:
        motion, condition = motion[-lag:], condition[:lag]
    return sequence_of(motion, condition, layout, from_rest=False)
