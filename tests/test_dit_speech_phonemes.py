import numpy as np
import pytest

from dit.speech_phonemes import PHONEME_IDS, PHONEMES, PhonemeTimes, times_from_durations


def test_every_class_has_its_own_symbol() -> None:
    assert len(set(PHONEMES)) == len(PHONEMES)
    assert PHONEMES[0] == "sil"


def test_marks_and_spaces_go_to_their_sounds() -> None:
    #        pad, h, stress, O, space, m, length, comma, pad
    times = times_from_durations(
        [".", "h", "ˈ", "O", " ", "m", "ː", ",", "."], [0.2, 0.1, 0.05, 0.1, 0.04, 0.1, 0.1, 0.1, 1]
    )
    assert times.symbols == ("sil", "h", "O", "m", "sil")
    lengths = times.end_s - times.start_s
    np.testing.assert_allclose(lengths, [0.2, 0.1, 0.17, 0.22, 1.1], atol=1e-6)
    np.testing.assert_allclose(times.start_s[1:], times.end_s[:-1], atol=1e-6)


def test_spellings_of_one_sound_share_a_class() -> None:
    assert times_from_durations(["ᵊ", "ᵻ", "ɾ"], [0.1, 0.1, 0.1]).symbols == ("ə", "ɪ", "T")


def test_an_unknown_phoneme_is_named() -> None:
    with pytest.raises(ValueError, match="unknown phoneme 'ʘ'"):
        times_from_durations(["ʘ"], [0.1])


def test_classes_at_moments_and_frames() -> None:
    times = PhonemeTimes(
        ("m", "A"), np.array([0.05, 0.13], np.float32), np.array([0.13, 0.25], np.float32)
    )
    names = [PHONEMES[i] for i in times.at(np.array([0, 0.05, 0.129, 0.13, 0.3], np.float32))]
    assert names == ["sil", "m", "m", "A", "sil"]
    # frame centres: 0.02, 0.06, 0.10, 0.14, 0.18, 0.22, 0.26
    assert times.frames(7).tolist() == [PHONEME_IDS[s] for s in ("sil", *"mm", *"AAA", "sil")]
