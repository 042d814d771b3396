"""What the motion network hears."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from dit.condition import (
    PHONEME_GAIN,
    MelNorm,
    VoiceProjection,
    level_channels,
    principal_projection,
)
from dit.phoneme_head import (
    HEAD_FILE,
    Linear,
    PhonemeHead,
    load_phoneme_head,
    no_phonemes,
    save_phoneme_head,
)
from models.errors import WeightsError
from models.mel import MEL_BANDS, mel_db
from models.shapes import FloatArray
from models.speech import SpeechFeatures, loudness_db

RNG = np.random.default_rng(0)
LEVEL = (RNG.standard_normal(700) * 15 - 35).clip(-80, 0).astype(np.float32)


def flat_voice(embeddings: FloatArray) -> SpeechFeatures:
    return SpeechFeatures(embeddings, np.full(len(embeddings), -30, np.float32))


def test_mel_bands_are_heard_against_the_voices_own_loudness() -> None:
    wave = (0.1 * RNG.standard_normal(200 * 640)).astype(np.float32)
    embeddings = RNG.standard_normal((200, 4)).astype(np.float32)
    loud, quiet = (
        SpeechFeatures(embeddings, loudness_db(w), mel_db(w)) for w in (wave, 0.5 * wave)
    )
    projection = principal_projection([loud], 2)
    assert projection.channels == 2 + MEL_BANDS + 2
    condition = projection.condition(loud, np.zeros(0, np.float32))
    np.testing.assert_allclose(condition[:, 2:-2].std(0), 1, atol=0.3)
    np.testing.assert_allclose(
        projection.condition(quiet, np.zeros(0, np.float32)), condition, atol=1e-3
    )
    with pytest.raises(ValueError, match="0 mel bands, not 26"):
        projection.condition(flat_voice(embeddings), np.zeros(0, np.float32))
    assert MelNorm()(loud.mel_db, loud.loudness_db).shape == (200, 0)


def test_a_head_with_a_hidden_layer_comes_back_from_its_file(tmp_path: Path) -> None:
    first = Linear(RNG.standard_normal((8, 6)).astype(np.float32), np.ones(6, np.float32))
    second = Linear(RNG.standard_normal((6, 5)).astype(np.float32), np.zeros(5, np.float32))
    head = PhonemeHead(second, first)
    save_phoneme_head(head, tmp_path)
    embeddings = RNG.standard_normal((20, 8)).astype(np.float32)
    logits = np.maximum(embeddings @ first.weight + 1, 0) @ second.weight
    odds = np.exp(logits)
    np.testing.assert_allclose(head(embeddings), odds / odds.sum(1, keepdims=True), rtol=1e-4)
    loaded = load_phoneme_head(tmp_path, 8)
    np.testing.assert_array_equal(loaded(embeddings), head(embeddings))


def test_levels_of_a_stream_are_those_of_the_file() -> None:
    whole = level_channels(LEVEL, np.zeros(0, np.float32))
    for cut in (1, 200, 600):
        part = level_channels(LEVEL[cut:], LEVEL[:cut])
        np.testing.assert_allclose(part, whole[cut:], atol=1e-5)


def test_a_quieter_microphone_changes_nothing_once_it_is_loud_enough() -> None:
    loud = level_channels(LEVEL, np.zeros(0, np.float32))
    quiet = level_channels(LEVEL - 6, np.zeros(0, np.float32))
    np.testing.assert_allclose(loud[100:], quiet[100:], atol=1e-4)
    silence = level_channels(np.full(50, -80, np.float32), np.zeros(0, np.float32))
    assert (silence[:, 0] == -2.0).all()


def test_principal_components_are_white_and_find_the_plane() -> None:
    plane = RNG.standard_normal((2, 8))
    embeddings = (RNG.standard_normal((3000, 2)) @ plane + 5).astype(np.float32)
    projection = principal_projection([flat_voice(embeddings)], 2)
    voice = SpeechFeatures(embeddings[:500], np.full(500, -30, np.float32))
    condition = projection.condition(voice, np.zeros(0, np.float32))
    assert condition.shape == (500, projection.channels)
    np.testing.assert_allclose(np.cov(condition[:, :2].T), np.eye(2), atol=0.15)


def test_projections_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        VoiceProjection(
            np.zeros(3, np.float32), np.zeros((4, 2), np.float32), load_phoneme_head(Path("no"), 3)
        )
    with pytest.raises(ValueError, match="phoneme head"):
        VoiceProjection(
            np.zeros(3, np.float32), np.zeros((3, 2), np.float32), load_phoneme_head(Path("no"), 4)
        )
    with pytest.raises(ValueError, match="phoneme weight"):
        Linear(np.zeros((3, 4), np.float32), np.zeros(5, np.float32))
    with pytest.raises(ValueError, match="phoneme layers"):
        PhonemeHead(no_phonemes(4).last, no_phonemes(3).last)
    with pytest.raises(ValueError, match="9 components"):
        principal_projection([flat_voice(np.zeros((10, 8), np.float32))], 9)


def test_the_encoders_phonemes_come_first_as_probabilities(tmp_path: Path) -> None:
    weight = RNG.standard_normal((5, 8)).astype(np.float32)
    save_file({"weight": weight, "bias": np.zeros(5, np.float32)}, tmp_path / HEAD_FILE)
    head = load_phoneme_head(tmp_path, 8)
    embeddings = RNG.standard_normal((300, 8)).astype(np.float32)
    projection = principal_projection([flat_voice(embeddings)], 2, head)
    voice = SpeechFeatures(embeddings, np.full(300, -30, np.float32))
    condition = projection.condition(voice, np.zeros(0, np.float32))
    assert condition.shape == (300, 5 + 2 + 2)
    np.testing.assert_allclose(condition[:, :5].sum(1), PHONEME_GAIN, rtol=1e-5)
    assert (condition[:, :5].argmax(1) == (embeddings @ weight.T).argmax(1)).all()


def test_an_encoder_without_a_head_has_no_phonemes_and_a_damaged_one_is_refused(
    tmp_path: Path,
) -> None:
    head = load_phoneme_head(tmp_path, 8)
    assert head(np.zeros((4, 8), np.float32)).shape == (4, 0)
    (tmp_path / HEAD_FILE).write_bytes(b"damaged")
    with pytest.raises(WeightsError, match="no phoneme head"):
        load_phoneme_head(tmp_path, 8)
