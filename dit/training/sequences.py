"""Clips and speech, ready for cutting windows."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from dit.articulation import random_style
from dit.condition import NO_PAST, VoiceProjection
from dit.layout import MotionLayout
from dit.measured_mouth import MeasuredMouth
from dit.speech_corpus import is_held_out_item
from dit.speech_phonemes import PhonemeTimes
from dit.style import STYLE_CHANNELS, style_of
from dit.synthetic import MouthBasis, synthetic_motion
from models.motion import Motion, rest
from models.shapes import FloatArray
from models.speech import SpeechFeatures
from models.timing import CONTEXT_FRAMES, FPS


@dataclass(frozen=True, slots=True)
class Sequence:
    """A clip of T frames; the first 10 may be a rest without a voice."""

    motion: FloatArray  # [T, M] normalised
    condition: FloatArray  # [T, C + 1], the last channel says whether the voice is known
    style: FloatArray  # [3 M], of the whole clip


@dataclass(frozen=True, slots=True)
class SpokenFeatures:
    """One item of the speech corpus, encoded."""

    name: str
    times: PhonemeTimes
    voice: SpeechFeatures


@dataclass(frozen=True, slots=True)
class SpokenItem:
    """One item of the speech corpus as the network hears it; T frames."""

    name: str
    times: PhonemeTimes
    condition: FloatArray  # [T, C]
    loudness_db: FloatArray  # [T]


def load_spoken(folder: Path, held_out: bool) -> list[SpokenFeatures]:
    """Items of the corpus that are trained on, or the twentieth that is not; [] without one."""
    items = []
    for path in sorted(folder.glob("*.npz")):
        if is_held_out_item(path.stem) != held_out:
            continue
        with np.load(path) as stored:
            times = PhonemeTimes(
                tuple(str(s) for s in stored["symbols"]), stored["start_s"], stored["end_s"]
            )
            names = [f.name for f in fields(SpeechFeatures) if f.name in stored]
            voice = SpeechFeatures(**{n: stored[n].astype(np.float32) for n in names})
        items.append(SpokenFeatures(path.stem, times, voice))
    return items


def spoken_items(spoken: list[SpokenFeatures], projection: VoiceProjection) -> list[SpokenItem]:
    """Speech as the network hears it; the embeddings are no longer needed then."""
    return [
        SpokenItem(s.name, s.times, projection.condition(s.voice, NO_PAST), s.voice.loudness_db)
        for s in spoken
    ]


def sequence_of(motion: Motion, condition: FloatArray, layout: MotionLayout) -> Sequence:
    """Normalise a clip. ``condition``: [T, C]."""
    vectors = layout.normalise(motion)
    known = np.concatenate([condition, np.ones((len(condition), 1), np.float32)], 1)
    style = style_of(vectors) if len(vectors) >= FPS else np.zeros(STYLE_CHANNELS, np.float32)
    return Sequence(vectors, known, style)


@dataclass(frozen=True)
class SyntheticSpeech:
    """Speech with known phonemes, and what is needed to make motion for it."""

    items: list[SpokenItem]
    bodies: list[Motion]  # real clips, whose heads the synthetic speakers borrow
    basis: MouthBasis
    layout: MotionLayout
    seed: int
    measured: MeasuredMouth | None = None  # what the real clips' mouths do

    def render(self, index: int, speaker: int) -> Sequence:
        """Item ``index`` said by speaker number ``speaker``, from rest.

        A function of its arguments and the seed alone, so that a resumed run renders the same.
        """
        item = self.items[index]
        rng = np.random.default_rng((self.seed, speaker, index))
        body = self.bodies[int(rng.integers(len(self.bodies)))]
        style = random_style(rng)
        measured = None if self.measured is None else self.measured(item.condition)
        motion = synthetic_motion(
            item.times, item.loudness_db, style, self.basis, body, rng, measured
        )
        said = sequence_of(motion, item.condition, self.layout)
        still = np.repeat(self.layout.normalise(rest(1)), CONTEXT_FRAMES, 0)
        unheard = np.zeros((CONTEXT_FRAMES, said.condition.shape[1]), np.float32)
        return Sequence(
            np.concatenate([still, said.motion]),
            np.concatenate([unheard, said.condition]),
            said.style,
        )


def lengths_of(sequences: Iterable[Sequence]) -> FloatArray:
    """Frames of each sequence."""
    return np.array([len(s.motion) for s in sequences], np.float32)
