"""Closures, open vowels and silence are found where the phonemes are."""

from pathlib import Path

import numpy as np
import pytest

from dit.evaluation.events import score_events, unseen_speech
from dit.generator import MotionGenerator
from dit.lip_events import CLOSURES, silent_frames, spans
from dit.speech_corpus import CorpusItem
from dit.speech_phonemes import PhonemeTimes
from models.errors import ConfigError
from models.timing import SAMPLE_RATE_HZ
from tests.dit_fixtures import TORCH_POLICY, tiny_checkpoint, tiny_encoder

TIMES = PhonemeTimes(
    ("sil", "m", "ɑ", "sil"),
    np.array([0, 0.8, 0.92, 1.2], np.float32),
    np.array([0.8, 0.92, 1.2, 2.0], np.float32),
)


def test_sounds_are_found_with_a_frame_on_both_sides() -> None:
    assert list(spans(TIMES, CLOSURES)) == [slice(19, 25)]


def test_silence_begins_and_ends_well_away_from_the_words() -> None:
    quiet = np.flatnonzero(silent_frames(TIMES, 50))
    assert quiet.min() == 5
    assert quiet.max() == 44
    assert not np.isin(np.arange(15, 35), quiet).any()


def test_a_mouth_that_stays_shut_misses_every_vowel() -> None:
    generator = MotionGenerator(tiny_checkpoint(), tiny_encoder(), TORCH_POLICY)
    quiet = CorpusItem("quiet", np.zeros(2 * SAMPLE_RATE_HZ, np.float32), TIMES, "ma")
    events = score_events(generator, [quiet], "live")
    assert (events.closures_shut, events.vowels_open, events.silence_shut) == (1.0, 0.0, 1.0)
    assert (events.closures, events.vowels) == (1, 1)
    assert np.isnan(score_events(generator, [], "live").closures_shut)


def test_a_folder_without_speech_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="speech-corpus"):
        unseen_speech(tmp_path, 8)
