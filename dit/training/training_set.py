"""From the folder that ``python -m dit prepare`` filled to what the trainer reads."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from dit.alignment import Alignment, VoiceToMouth, align, fit_voice_to_mouth
from dit.articulation import Style, articulate
from dit.condition import VoiceProjection, principal_projection
from dit.layout import MotionLayout, layout_of
from dit.measured_mouth import MeasuredMouth, measure_mouth
from dit.phoneme_head import PhonemeHead, load_phoneme_head
from dit.preparation.shards import Shard, read_index, read_shards, read_tar
from dit.synthetic import articulators_of, mouth_basis
from dit.training.clip_pools import ClipSource, Pool, ResidentClips, TarPools
from dit.training.config import TrainConfig
from dit.training.sequences import (
    NO_PAST,
    Sequence,
    SpokenFeatures,
    SpokenItem,
    SyntheticSpeech,
    aligned_sequence,
    in_step,
    load_spoken,
    sequence_of,
    spoken_items,
)
from models.errors import ConfigError
from models.shapes import FloatArray

FITTED_FRAMES = 60_000  # are plenty for principal components
ALIGNING_ITEMS = 200  # of the speech corpus are plenty for a linear map
MOST_BODIES = 200  # clips whose heads synthetic speakers borrow
SYNTHETIC_ENGINE = "lite"  # mouth shapes are computed for its keypoints

Report = Callable[[str], None]


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


def load_training_set(
    folder: Path, config: TrainConfig, encoder: Path, report: Report
) -> TrainingSet:
    """Everything the trainer needs; ``report`` hears how each clip's sound was found to lie.

    ``encoder``: the directory of the encoder that the data was made with, for its phoneme head.
    Raises ConfigError or ShardError when the folder does not hold what is asked for.
    """
    shards_folder = folder / "shards"
    fitted = list(fitting_shards(shards_folder, config.data.fit_clips, config.data.pool_tars))
    synthetic = config.engine == SYNTHETIC_ENGINE and config.data.real_share < 1.0
    spoken = load_spoken(folder / "spoken", held_out=False) if synthetic else []
    head = load_phoneme_head(encoder, fitted[0].voice.dim)
    projection = fit_projection(fitted, spoken, config.data.components, head)
    layout = layout_of(config.engine, [s.motion for s in fitted])
    items = spoken_items(spoken, projection)
    clip_of = ClipMaker(projection, layout, voice_to_mouth(items) if items else None, report)
    measured = clip_of.measured_mouth(fitted, items)
    unseen = load_spoken(folder / "spoken", held_out=True) if synthetic else []
    validation = [
        sequence_of(s.motion, projection.condition(s.voice, NO_PAST), layout)
        for s in read_shards(shards_folder, "validation")
    ]
    return TrainingSet(
        layout,
        projection,
        encoder.resolve().name,
        clip_source(shards_folder, fitted, clip_of, config),
        synthetic_speech(items, fitted, layout, config.seed, measured) if items else None,
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
    made = [clip_of(shard) for shard in fitted]
    return ResidentClips(Pool.of([sequence for sequence in made if sequence is not None]))


@dataclass(frozen=True)
class ClipMaker:
    """Shard -> sequence with its sound in step, or None where the sound is another one."""

    projection: VoiceProjection
    layout: MotionLayout
    guess: VoiceToMouth | None  # None: sound is taken as it is
    report: Report

    def __call__(self, shard: Shard) -> Sequence | None:
        """Measures how the sound lies first."""
        if self.guess is None:
            return aligned_sequence(shard, None, self.projection, self.layout)
        found = self._alignment(shard, self.guess)
        if not found.trusted:
            self.report(f"{shard.name}: another sound, left out (r {found.r:.2f})")
            return None
        if found.lag:
            self.report(f"{shard.name}: sound {found.lag:+d} frames late (r {found.r:.2f})")
        return aligned_sequence(shard, found, self.projection, self.layout)

    def measured_mouth(self, shards: list[Shard], items: list[SpokenItem]) -> MeasuredMouth | None:
        """What the mouths of clips in step do for their voices; None without synthetic speech."""
        if self.guess is None:
            return None
        clips = []
        for shard in shards:
            found = self._alignment(shard, self.guess)
            if found.trusted:
                voice, picture = in_step(len(shard.voice), found.lag)
                condition = self.projection.condition(shard.voice, NO_PAST)[voice]
                clips.append((condition, articulators_of(shard.motion.exp[picture])))
        return measure_mouth(clips, usual_speakers(items)) if clips else None

    def _alignment(self, shard: Shard, guess: VoiceToMouth) -> Alignment:
        heard = guess(self.projection.condition(shard.voice, NO_PAST))
        return align(heard, articulators_of(shard.motion.exp))


def fit_projection(
    shards: list[Shard], spoken: list[SpokenFeatures], components: int, head: PhonemeHead
) -> VoiceProjection:
    """Principal components over real and synthetic voices, beside the encoder's phonemes."""
    voices = [s.voice for s in shards] + [s.voice for s in spoken]
    every = max(1, sum(len(voice) for voice in voices) // FITTED_FRAMES)
    return principal_projection(voices[::every], components, head)


def voice_to_mouth(items: list[SpokenItem]) -> VoiceToMouth:
    """The linear map of the synthetic pairs, one usual speaker for all."""
    conditions, mouths = zip(*usual_speakers(items), strict=True)
    return fit_voice_to_mouth(list(conditions), list(mouths))


def usual_speakers(items: list[SpokenItem]) -> list[tuple[FloatArray, FloatArray]]:
    """Condition [T, C] and articulators [T, 4] of enough synthetic speech, one speaker for all."""
    return [
        (item.condition, articulate(item.times, item.loudness_db, Style()).articulators)
        for item in items[:: -(-len(items) // ALIGNING_ITEMS)]
    ]


def synthetic_speech(
    items: list[SpokenItem],
    shards: list[Shard],
    layout: MotionLayout,
    seed: int,
    measured: MeasuredMouth | None,
) -> SyntheticSpeech:
    """Speakers with the mouths and heads of the training clips."""
    every = max(1, len(shards) // MOST_BODIES)
    bodies = [s.motion for s in shards[::every]]
    basis = mouth_basis([b.exp for b in bodies])
    return SyntheticSpeech(items, bodies, basis, layout, seed, measured)
