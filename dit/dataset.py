"""Training windows: real clips and synthetic pairs, cut and masked the way streaming needs them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dit.articulation import random_style
from dit.condition import VoiceProjection
from dit.held_out import is_held_out
from dit.layout import MotionLayout
from dit.prepare import Shard
from dit.speech_phonemes import PhonemeTimes
from dit.synthetic import MouthBasis, synthetic_motion
from models.motion import Motion, rest
from models.shapes import FloatArray
from models.timing import CONTEXT_FRAMES

NO_PAST = np.zeros(0, np.float32)


@dataclass(frozen=True, slots=True)
class Masking:
    """How often a training window lacks something, so that the network can do without it."""

    no_voice: float = 0.1  # for classifier-free guidance
    late_voice: float = 0.15  # the voice of the last frames has not come yet
    no_context: float = 0.5  # the voice, not habit, shapes the mouth
    context_noise: float = 0.8  # most spread added to the context, in normalised units
    voice_noise: float = 0.4  # keeps small principal components from being learnt by heart
    voice_dropout: float = 0.1  # of single condition channels


@dataclass(frozen=True, slots=True)
class Sequence:
    """A clip ready for cutting; T frames, the first 10 may be a rest without a voice."""

    motion: FloatArray  # [T, M] normalised
    condition: FloatArray  # [T, C + 1]


@dataclass(frozen=True, slots=True)
class Batch:
    """B windows of 10 + T frames; masks are already applied."""

    target: Tensor  # [B, T, M]
    condition: Tensor  # [B, 10 + T, C + 1]
    context: Tensor  # [B, 10, M + 1]


@dataclass(frozen=True, slots=True)
class SpokenItem:
    """One item of the speech corpus with its features; T frames."""

    name: str
    times: PhonemeTimes
    low_rank: FloatArray  # [T, C]
    loudness_db: FloatArray  # [T]


def load_shards(folder: Path, held_out: bool) -> list[Shard]:
    """Shards of the people trained on, or of those held out. Raises ValueError when none."""
    paths = [p for p in sorted(folder.glob("*.npz")) if is_held_out(p.name) == held_out]
    if not paths:
        raise ValueError(f"no shards in {folder}; `python -m dit prepare` makes them")
    return [Shard.load(path) for path in paths]


def sequence_of(
    motion: Motion, condition: FloatArray, layout: MotionLayout, from_rest: bool
) -> Sequence:
    """Normalise; ``from_rest`` puts 10 frames of rest without a voice in front."""
    vectors = layout.normalise(motion)
    known = np.concatenate([condition, np.ones((len(condition), 1), np.float32)], 1)
    if from_rest:
        still = np.repeat(layout.normalise(rest(1)), CONTEXT_FRAMES, 0)
        vectors = np.concatenate([still, vectors])
        known = np.concatenate([np.zeros((CONTEXT_FRAMES, known.shape[1]), np.float32), known])
    return Sequence(vectors, known)


def real_sequences(
    shards: list[Shard], projection: VoiceProjection, layout: MotionLayout
) -> list[Sequence]:
    """Real clips as they are."""
    return [
        sequence_of(s.motion, projection.condition(s.voice, NO_PAST), layout, from_rest=False)
        for s in shards
    ]


def synthetic_sequences(
    items: list[SpokenItem],
    bodies: list[Motion],
    basis: MouthBasis,
    layout: MotionLayout,
    rng: np.random.Generator,
) -> list[Sequence]:
    """A fresh speaker for every item."""
    sequences = []
    for item in items:
        body = bodies[int(rng.integers(len(bodies)))]
        motion = synthetic_motion(item.times, item.loudness_db, random_style(rng), basis, body, rng)
        sequences.append(sequence_of(motion, item.low_rank, layout, from_rest=True))
    return sequences


class WindowSampler:
    """Draws windows, every frame of every sequence equally often within its group."""

    def __init__(self, sequences: list[Sequence], rng: np.random.Generator) -> None:
        self._rng = rng
        self._sequences = sequences
        lengths = np.array([len(s.motion) for s in sequences], np.float64)
        self._share = lengths / lengths.sum()

    def replace(self, sequences: list[Sequence]) -> None:
        """Go on with other sequences of the same lengths."""
        self._sequences = sequences

    def draw(self, count: int, new_frames: int, masking: Masking) -> Batch:
        """``count`` windows of 10 + ``new_frames`` frames."""
        length = CONTEXT_FRAMES + new_frames
        motions, conditions = [], []
        for index in self._rng.choice(len(self._sequences), count, p=self._share):
            chosen = self._sequences[index]
            start = int(self._rng.integers(max(1, len(chosen.motion) - length + 1)))
            motions.append(_cut(chosen.motion, start, length))
            conditions.append(_cut(chosen.condition, start, length))
        return self._masked(np.stack(motions), np.stack(conditions), masking)

    def _masked(self, motion: FloatArray, condition: FloatArray, masking: Masking) -> Batch:
        rng, count = self._rng, len(motion)
        new = motion.shape[1] - CONTEXT_FRAMES
        voice, known = condition[..., :-1], condition[..., -1:].copy()
        voice = voice + masking.voice_noise * rng.standard_normal(voice.shape, np.float32)
        voice = voice * (rng.random((count, 1, voice.shape[2])) >= masking.voice_dropout)
        late = rng.random(count) < masking.late_voice
        until = CONTEXT_FRAMES + rng.integers(0, new + 1, count)
        frames = np.arange(motion.shape[1])
        known *= ~(late[:, None] & (frames >= until[:, None]))[..., None]
        known *= (rng.random(count) >= masking.no_voice)[:, None, None]
        spread = masking.context_noise * rng.random((count, 1, 1), np.float32)
        seen = motion[:, :CONTEXT_FRAMES]
        seen = seen + spread * rng.standard_normal(seen.shape, np.float32)
        kept = np.broadcast_to(
            (rng.random(count) >= masking.no_context)[:, None, None], (*seen.shape[:2], 1)
        )
        return Batch(
            torch.from_numpy(motion[:, CONTEXT_FRAMES:].astype(np.float32)),
            torch.from_numpy(np.concatenate([voice * known, known], 2).astype(np.float32)),
            torch.from_numpy(np.concatenate([seen * kept, kept], 2).astype(np.float32)),
        )


def _cut(values: FloatArray, start: int, length: int) -> FloatArray:
    """Rows from ``start``; the last one is repeated where a clip is too short."""
    piece = values[start : start + length]
    return np.pad(piece, ((0, length - len(piece)), (0, 0)), mode="edge")


def joined(first: Batch, second: Batch) -> Batch:
    """Two batches of the same window as one."""
    return Batch(
        torch.cat([first.target, second.target]),
        torch.cat([first.condition, second.condition]),
        torch.cat([first.context, second.context]),
    )
