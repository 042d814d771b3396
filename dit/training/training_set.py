"""From the folder that ``python -m dit prepare`` filled to what the trainer reads."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from dit.articulation import Style, articulate
from dit.condition import NO_PAST, VoiceProjection, principal_projection
from dit.layout import MotionLayout, layout_of
from dit.measured_mouth import measure_mouth
from dit.phoneme_head import PhonemeHead, load_phoneme_head
from dit.preparation.shards import Shard, read_index, read_shards, read_tar
from dit.synthetic import articulators_of, mouth_basis
from dit.training.clip_pools import ClipSource, Pool, ResidentClips, TarPools
from dit.training.config import TrainConfig
from dit.training.sequences import (
    Sequence,
    SpokenFeatures,
    SpokenItem,
    SyntheticSpeech,
    load_spoken,
    sequence_of,
    spoken_items,
)
from models.errors import ConfigError
from models.shapes import FloatArray

FITTED_FRAMES = 60_000  # are plenty for principal components
USUAL_ITEMS = 200  # of the speech corpus are plenty for a linear map
MOST_BODIES = 200  # clips whose heads synthetic speakers borrow
SYNTHETIC_ENGINE = "lite"  # mouth shapes are computed for its keypoints


@dataclass(frozen=True)
class TrainingSet:
    """What is trained on, and what is only looked at."""

    layout: MotionLayout
    projection: VoiceProjection
    encoder: str  # name of the speech encoder
    clips: ClipSource
    speech: SyntheticSpeech | None
    validation: list[Sequence]  # whole people left out
    unseen_speech: list[SpokenItem]  # items of the corpus left out


def load_training_set(folder: Path, config: TrainConfig, encoder: Path) -> TrainingSet:
    """Everything the trainer needs.

    ``encoder``: the directory of the encoder that the data was made with, for its phoneme head.
    Raises ConfigError or ShardError when the folder does not hold what is asked for.
    """
    shards_folder = folder / "shards"
    fitted = list(fitting_shards(shards_folder, config.data.fit_clips, config.data.pool_tars))
    synthetic = config.engine == SYNTHETIC_ENGINE and config.data.real_share < 1.0
    spoken = load_spoken(folder / "spoken", held_out=False) if synthetic else []
    head = phoneme_head_of(encoder, fitted[0].voice.dim)
    projection = fit_projection(fitted, spoken, config.data.components, head)
    layout = layout_of(config.engine, [s.motion for s in fitted])
    items = spoken_items(spoken, projection)
    clip_of = ClipMaker(projection, layout)
    unseen = load_spoken(folder / "spoken", held_out=True) if synthetic else []
    validation = [clip_of(shard) for shard in read_shards(shards_folder, "validation")]
    return TrainingSet(
        layout,
        projection,
        encoder.resolve().name,
        clip_source(shards_folder, fitted, clip_of, config),
        synthetic_speech(items, fitted, clip_of, config.seed) if items else None,
        validation,
        spoken_items(unseen, projection),
    )


def fitting_shards(folder: Path, most: int, pool_tars: int) -> Iterator[Shard]:
    """The clips that statistics are measured on: all of a set that fits in memory, else as many of
    every tar."""
    if not pool_tars:
        yield from read_shards(folder, "train")
        return
    tars = [t.file for t in read_index(folder).tars if t.split == "train"]
    if not tars:
        raise ConfigError(f"no shards to train on in {folder}")
    for tar in tars:
        yield from islice(read_tar(folder / tar), -(-most // len(tars)))


def clip_source(
    folder: Path, fitted: list[Shard], clip_of: "ClipMaker", config: TrainConfig
) -> ClipSource:
    """All clips in memory, or pools of tars."""
    data = config.data
    if data.pool_tars:
        return TarPools(folder, data.pool_tars, data.pool_steps, config.seed, clip_of)
    return ResidentClips(Pool.of([clip_of(shard) for shard in fitted]))


@dataclass(frozen=True, slots=True)
class ClipMaker:
    """Shard -> sequence. Sound and picture are in step: ``prepare`` saw to that."""

    projection: VoiceProjection
    layout: MotionLayout

    def __call__(self, shard: Shard) -> Sequence:
        """One clip as the network hears and sees it."""
        return sequence_of(shard.motion, self.heard(shard), self.layout)

    def heard(self, shard: Shard) -> FloatArray:
        """Condition [T, C]."""
        return self.projection.condition(shard.voice, NO_PAST)


def phoneme_head_of(encoder: Path, dim: int) -> PhonemeHead:
    """Raises ConfigError when the data was made with another encoder than this."""
    head = load_phoneme_head(encoder, dim)
    if head.embedding_dim != dim:
        raise ConfigError(
            f"the data has embeddings of {dim} dimensions, encoder {encoder} gives "
            f"{head.embedding_dim}; accepted: the --encoder that `dit prepare` had"
        )
    return head


def fit_projection(
    shards: list[Shard], spoken: list[SpokenFeatures], components: int, head: PhonemeHead
) -> VoiceProjection:
    """Principal components over real and synthetic voices, beside the encoder's phonemes."""
    voices = [s.voice for s in shards] + [s.voice for s in spoken]
    every = max(1, sum(len(voice) for voice in voices) // FITTED_FRAMES)
    return principal_projection(voices[::every], components, head)


def usual_speakers(items: list[SpokenItem]) -> list[tuple[FloatArray, FloatArray]]:
    """Condition [T, C] and articulators [T, 4] of enough synthetic speech, one speaker for all."""
    return [
        (item.condition, articulate(item.times, item.loudness_db, Style()).articulators)
        for item in items[:: -(-len(items) // USUAL_ITEMS)]
    ]


def synthetic_speech(
    items: list[SpokenItem], shards: list[Shard], clip_of: ClipMaker, seed: int
) -> SyntheticSpeech:
    """Speakers with the mouths and heads of the training clips."""
    mouths = [(clip_of.heard(s), articulators_of(s.motion.exp)) for s in shards]
    every = max(1, len(shards) // MOST_BODIES)
    bodies = [s.motion for s in shards[::every]]
    return SyntheticSpeech(
        items,
        bodies,
        mouth_basis([b.exp for b in bodies]),
        clip_of.layout,
        seed,
        measure_mouth(mouths, usual_speakers(items)),
    )
