from pathlib import Path

import numpy as np
import pytest

from dit.speech_corpus import at_level, join, make_corpus, read_corpus, speak
from dit.speech_phonemes import PHONEMES, PhonemeTimes
from dit.speech_voices import TTS_RATE_HZ, Utterance
from models.sound import read_sound


def utterance(seconds: float) -> Utterance:
    wave = np.full(round(seconds * TTS_RATE_HZ), 0.1, np.float32)
    bounds = np.array([0, 0.1, seconds - 0.1, seconds], np.float32)
    return Utterance(wave, PhonemeTimes(("sil", "m", "sil"), bounds[:-1], bounds[1:]))


def test_sentences_and_pauses_join_with_one_silence_between() -> None:
    wave, times = join([0.5, utterance(1.0), 0.25, utterance(0.5)])
    assert len(wave) == pytest.approx(2.25 * 16_000, abs=2)
    assert times.symbols == ("sil", "m", "sil", "m", "sil")
    np.testing.assert_allclose(times.end_s, [0.6, 1.4, 1.85, 2.15, 2.25], atol=1e-4)
    np.testing.assert_array_equal(times.start_s[1:], times.end_s[:-1])


def test_the_level_is_that_of_the_spoken_half_and_nothing_clips() -> None:
    rng = np.random.default_rng(0)
    wave = np.concatenate([np.zeros(8_000), 0.01 * rng.standard_normal(8_000)]).astype(np.float32)
    scaled = at_level(wave, -20.0)
    assert 20 * np.log10(np.sqrt(np.mean(scaled[8_000:] ** 2))) == pytest.approx(-20, abs=0.1)
    wave[9_000] = 1.0
    assert np.abs(at_level(wave, 0.0)).max() <= 0.981


def test_a_corpus_is_made_read_and_continued(tmp_path: Path) -> None:
    pytest.importorskip("hibari", reason="hibari-tts comes with the extra `train`")
    make_corpus(tmp_path, hours=1 * 20 / 3600)
    (item,) = read_corpus(tmp_path)
    assert 20 < len(item.wave) / 16_000 < 60
    assert item.phonemes.start_s[0] == 0
    assert item.phonemes.end_s[-1] == pytest.approx(len(item.wave) / 16_000, abs=0.01)
    np.testing.assert_array_equal(item.phonemes.start_s[1:], item.phonemes.end_s[:-1])
    assert set(item.phonemes.symbols) <= set(PHONEMES)
    frames = item.phonemes.frames(len(item.wave) // 640)
    level = np.sqrt(np.mean(item.wave[: len(frames) * 640].reshape(-1, 640) ** 2, axis=1))
    assert level[frames == 0].mean() < 0.1 * level[frames != 0].mean()
    before = {p.name: p.stat().st_mtime_ns for p in tmp_path.iterdir()}
    make_corpus(tmp_path, hours=1 * 20 / 3600)
    assert {p.name: p.stat().st_mtime_ns for p in tmp_path.iterdir()} == before


def test_a_bar_in_a_spoken_text_is_a_pause(tmp_path: Path) -> None:
    pytest.importorskip("hibari", reason="hibari-tts comes with the extra `train`")
    speak("Hello. | Hello.", tmp_path / "two.wav")
    wave = read_sound(tmp_path / "two.wav")
    level = np.sqrt(np.mean(wave[: len(wave) // 640 * 640].reshape(-1, 640) ** 2, axis=1))
    loud = np.flatnonzero(level > 0.1 * level.max())
    assert np.diff(loud).max() >= 9  # 0.35 s between the two
    assert len(loud) > 10
