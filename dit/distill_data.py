"""What the distillation trains on: voices, the teacher's view of them, phonemes where known.

Made once into a cache folder, read into memory, and cut into crops of one encoder window.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from dit.distill_teacher import STUDENT_STRIDE, Teacher, TeacherSpace, fit_space
from dit.speech_corpus import at_level, read_corpus
from models.errors import MissingWeightsError
from models.held_out import is_held_out
from models.shapes import AnyArray, FloatArray, IntArray
from models.sound import read_sound
from models.timing import SAMPLE_RATE_HZ

UNKNOWN_PHONEME = -100  # what cross-entropy ignores
CLIP_SUFFIXES = (".mp4", ".mpg", ".avi", ".mov", ".webm", ".wav", ".flac")
# real voices are few: each is heard at several speeds, pitch moving along as on a tape
CLIP_TAPE_SPEEDS = (1.0, 0.84, 0.9, 0.95, 1.06, 1.13, 1.2)


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice with targets for every student state (50 Hz)."""

    wave: AnyArray  # [N] float16
    targets: AnyArray  # [S, C] float16, the teacher's main directions
    phonemes: IntArray  # [S], UNKNOWN_PHONEME where not known


@dataclass(frozen=True, slots=True)
class Crops:
    """A batch of windows."""

    wave: torch.Tensor  # [B, N]
    targets: torch.Tensor  # [B, S, C]
    phonemes: torch.Tensor  # [B, S]
    inside: torch.Tensor  # [B, S], 1 where the state lies inside the voice


def state_centres(count: int, field: int) -> AnyArray:
    """Sample numbers [S] on which the student's states are centred."""
    return np.arange(count) * STUDENT_STRIDE + (field - 1) / 2


def prepare(
    corpus: Path, clips: Path | None, cache: Path, *, field: int, components: int, threads: int = 1
) -> TeacherSpace:
    """Run the teacher over everything once. Clips of held-out people are never read."""
    cache.mkdir(parents=True, exist_ok=True)
    space_path = cache / "space.npz"
    if space_path.is_file():
        with np.load(space_path) as data:
            return TeacherSpace(data["mean"], data["basis"])
    teacher = Teacher(threads)
    states: list[FloatArray] = []
    for name, wave, phonemes in _voices(corpus, clips, field):
        centres = state_centres(len(phonemes), field)
        states.append(teacher.at(wave, centres).astype(np.float16))
        np.savez(
            cache / f"{name}.voice.npz",
            wave=wave.astype(np.float16),
            phonemes=phonemes,
            states=states[-1],
        )
    if not states:
        raise MissingWeightsError(f"no speech in {corpus}: python -m dit speech-corpus makes it")
    sample = np.concatenate([s[::7] for s in states]).astype(np.float32)
    space = fit_space(sample, components)
    np.savez(space_path, mean=space.mean, basis=space.basis)
    return space


def _voices(
    corpus: Path, clips: Path | None, field: int
) -> Iterator[tuple[str, FloatArray, IntArray]]:
    """Name, wave [N] and phonemes [S] of every voice to learn from."""
    for item in read_corpus(corpus):
        count = (len(item.wave) - field) // STUDENT_STRIDE + 1
        times_s = state_centres(count, field) / SAMPLE_RATE_HZ
        yield item.name, item.wave, item.phonemes.at(times_s.astype(np.float32))
    if clips is None:
        return
    import soxr

    for path in sorted(clips.iterdir()):
        if path.suffix.lower() not in CLIP_SUFFIXES or is_held_out(path.name):
            continue
        wave = at_level(read_sound(path), -20.0)
        for speed in CLIP_TAPE_SPEEDS:
            taped = wave if speed == 1.0 else soxr.resample(wave, SAMPLE_RATE_HZ * speed, 16_000)
            count = (len(taped) - field) // STUDENT_STRIDE + 1
            if count > 0:
                unknown = np.full(count, UNKNOWN_PHONEME, np.int64)
                yield f"clip_{path.stem}_{speed}", taped, unknown


def load(cache: Path, space: TeacherSpace) -> tuple[list[Voice], list[Voice]]:
    """The cache as (voices with phonemes, real voices)."""
    spoken: list[Voice] = []
    real: list[Voice] = []
    for path in sorted(cache.glob("*.voice.npz")):
        with np.load(path) as data:
            targets = space.project(data["states"].astype(np.float32)).astype(np.float16)
            voice = Voice(data["wave"], targets, data["phonemes"])
        (real if path.name.startswith("clip_") else spoken).append(voice)
    return spoken, real


def crop(voice: Voice, start: int, states: int, samples: int) -> tuple[AnyArray, ...]:
    """One window that begins at state ``start`` (may be negative: the voice's beginning)."""
    first, total = start * STUDENT_STRIDE, len(voice.phonemes)
    wave = np.zeros(samples, np.float32)
    low, high = max(first, 0), min(first + samples, len(voice.wave))
    wave[low - first : high - first] = voice.wave[low:high]
    targets = np.zeros((states, voice.targets.shape[1]), np.float32)
    phonemes = np.full(states, UNKNOWN_PHONEME, np.int64)
    inside = np.zeros(states, np.float32)
    begin, end = max(start, 0), min(start + states, total)
    here = slice(begin - start, end - start)
    targets[here], phonemes[here], inside[here] = (
        voice.targets[begin:end],
        voice.phonemes[begin:end],
        1.0,
    )
    return wave, targets, phonemes, inside


def sample_crops(
    spoken: list[Voice],
    real: list[Voice],
    rng: np.random.Generator,
    *,
    batch: int,
    states: int,
    samples: int,
    real_share: float,
    edge_share: float = 0.12,
) -> Crops:
    """Random windows; some begin before the voice does, as a stream's first windows do."""
    parts: list[tuple[AnyArray, ...]] = []
    for _ in range(batch):
        pool = real if real and (not spoken or rng.random() < real_share) else spoken
        voice = pool[int(rng.integers(len(pool)))]
        last = max(len(voice.phonemes) - states // 2, 1)
        start = -int(rng.integers(states)) if rng.random() < edge_share else int(rng.integers(last))
        parts.append(crop(voice, start, states, samples))
    wave, targets, phonemes, inside = (
        torch.from_numpy(np.stack(p)) for p in zip(*parts, strict=True)
    )
    return Crops(wave, targets, phonemes, inside)
