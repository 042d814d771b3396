import random

import numpy as np
import pytest

from dit.speech_phonemes import PHONEME_IDS, PhonemeTimes
from dit.speech_voices import (
    EARLY_S,
    TTS_RATE_HZ,
    SpeechSynthesiser,
    Voice,
    align,
    random_voice,
    repitch,
    stretch,
)
from models.shapes import FloatArray


@pytest.fixture(scope="module")
def synthesiser() -> SpeechSynthesiser:
    pytest.importorskip("hibari", reason="hibari-tts comes with the extra `train`")
    return SpeechSynthesiser()


def sounding(*spans: tuple[float, float], seconds: float) -> FloatArray:
    """Noise in some spans, silence elsewhere."""
    wave = np.zeros(round(seconds * TTS_RATE_HZ), np.float32)
    rng = np.random.default_rng(0)
    for start, end in spans:
        part = slice(round(start * TTS_RATE_HZ), round(end * TTS_RATE_HZ))
        wave[part] = 0.1 * rng.standard_normal(part.stop - part.start)
    return wave


def times(symbols: tuple[str, ...], ends: list[float]) -> PhonemeTimes:
    bounds = np.array([0.0, *ends], np.float32)
    return PhonemeTimes(symbols, bounds[:-1], bounds[1:])


def test_the_ends_are_cut_to_the_sound() -> None:
    said = times(("sil", "m", "A", "sil"), [0.3, 0.6, 1.2, 1.5])
    heard = align(said, sounding((0.2, 1.0), seconds=1.5))
    assert heard.symbols == ("sil", "m", "A", "sil")
    np.testing.assert_allclose(heard.end_s, [0.2, 0.6 - EARLY_S, 1.0, 1.5], atol=0.013)


def test_a_comma_is_silence_only_when_it_is_quiet() -> None:
    said = times(("sil", "m", "sil", "A", "sil"), [0.2, 0.5, 0.7, 1.0, 1.2])
    spoken_on = align(said, sounding((0.2, 1.0), seconds=1.2))
    assert spoken_on.symbols == ("sil", "m", "A", "sil")
    paused = align(said, sounding((0.2, 0.5), (0.7, 1.0), seconds=1.2))
    assert paused.symbols == ("sil", "m", "sil", "A", "sil")
    np.testing.assert_allclose(paused.start_s[2:4], [0.5, 0.7], atol=0.013)


def test_aligned_phonemes_cover_the_sound_without_gaps() -> None:
    said = times(("sil", "m", "A", "sil"), [0.3, 0.6, 1.2, 1.5])
    heard = align(said, sounding((0.2, 1.0), seconds=1.5))
    assert heard.start_s[0] == 0
    assert heard.end_s[-1] == pytest.approx(1.5)
    np.testing.assert_array_equal(heard.start_s[1:], heard.end_s[:-1])


def test_speakers_differ() -> None:
    voices = [random_voice(random.Random(i)) for i in range(50)]
    pitches = [v.pitch for v in voices]
    assert min(pitches) < 0.75
    assert max(pitches) > 1.25
    assert np.corrcoef(pitches, [v.tract for v in voices])[0, 1] > 0.5
    assert all(0.45 <= v.pitch <= 1.5 and 0.75 <= v.speed <= 1.35 for v in voices)


def test_pitch_is_scaled_and_its_melody_flattened() -> None:
    f0 = np.array([0, 180, 200, 220, 0], np.float32)
    np.testing.assert_allclose(repitch(f0, Voice(pitch=0.5)), [0, 90, 100, 110, 0])
    np.testing.assert_allclose(repitch(f0, Voice(melody=0.0)), [0, 200, 200, 200, 0], rtol=1e-5)
    silent = np.zeros(4, np.float32)
    np.testing.assert_array_equal(repitch(silent, Voice(pitch=0.5)), silent)


@pytest.mark.parametrize("tract", [0.85, 1.15])
def test_formants_move_with_the_vocal_tract(tract: float) -> None:
    bins = np.arange(601)[:, None]
    formant = np.exp(-(((bins - 200) / 20.0) ** 2)).astype(np.float32)
    assert int(np.argmax(stretch(formant, tract))) == pytest.approx(200 * tract, abs=1)


def test_another_speaker_keeps_the_times(synthesiser: SpeechSynthesiser) -> None:
    (phonemes,) = synthesiser.phonemise("My mother may buy more.")
    own = synthesiser.speak(phonemes, Voice(), seed=0)
    deep = synthesiser.speak(phonemes, Voice(pitch=0.55, tract=0.85), seed=0)
    assert len(own.wave) == len(deep.wave)
    assert own.phonemes.symbols == deep.phonemes.symbols
    assert np.abs(own.phonemes.end_s - deep.phonemes.end_s).max() < 0.1
    assert np.abs(own.wave - deep.wave).mean() > 0.3 * np.abs(own.wave).mean()


def test_hissing_is_where_the_times_say(synthesiser: SpeechSynthesiser) -> None:
    (phonemes,) = synthesiser.phonemise("She sees six shiny seas.")
    spoken = synthesiser.speak(phonemes, Voice(), seed=0)
    hop = round(0.0125 * TTS_RATE_HZ)
    frames = spoken.wave[: len(spoken.wave) // hop * hop].reshape(-1, hop)
    spectra = np.abs(np.fft.rfft(frames * np.hanning(hop), axis=1))
    hiss = np.log(spectra[:, 60:].mean(1) + 1e-3) - np.log(spectra[:, :40].mean(1) + 1e-3)
    named = spoken.phonemes.at(((np.arange(len(frames)) + 0.5) * 0.0125).astype(np.float32))
    sibilant = np.isin(named, [PHONEME_IDS[s] for s in "szʃ"])
    assert {"s", "z", "ʃ"} <= set(spoken.phonemes.symbols)
    assert hiss[sibilant].mean() > hiss[~sibilant & (named != 0)].mean() + 1.0
