import numpy as np
import pytest

from models.speech import SpeechFeatures, concatenate, frame_count, loudness_db


def features(frames: int, seed: int = 0) -> SpeechFeatures:
    rng = np.random.default_rng(seed)
    return SpeechFeatures(
        rng.standard_normal((frames, 4)).astype(np.float32),
        rng.standard_normal(frames).astype(np.float32),
    )


def test_slices_join_to_the_whole() -> None:
    whole = features(7)
    joined = concatenate([whole[:3], whole[3:3], whole[3:]])
    assert len(joined) == 7
    assert joined.dim == 4
    np.testing.assert_array_equal(joined.embeddings, whole.embeddings)
    np.testing.assert_array_equal(joined.loudness_db, whole.loudness_db)


def test_arrays_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match=r"are not \[T, D\], \[T\] and \[T, B\]"):
        SpeechFeatures(np.zeros((3, 4), np.float32), np.zeros(2, np.float32))


def test_joining_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to concatenate"):
        concatenate([])


def test_loudness_of_a_full_scale_square_wave_is_zero_and_of_silence_the_floor() -> None:
    wave = np.concatenate([np.ones(640), np.zeros(640), np.full(640, 0.1)]).astype(np.float32)
    np.testing.assert_allclose(loudness_db(wave), [0.0, -80.0, -20.0], atol=1e-4)


def test_a_part_frame_counts_and_is_padded_with_silence() -> None:
    assert frame_count(640) == 1
    assert frame_count(641) == 2
    assert loudness_db(np.ones(960, np.float32))[1] == pytest.approx(10 * np.log10(0.5), abs=1e-4)
