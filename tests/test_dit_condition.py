"""What the motion network hears."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from dit.condition import (
    HEAD_FILE,
    PHONEME_GAIN,
    PhonemeHead,
    VoiceProjection,
    level_channels,
    load_phoneme_head,
    principal_projection,
)
from models.errors import WeightsError
from models.speech import SpeechFeatures

RNG = np.random.default_rng(0)
LEVEL = (RNG.standard_normal(700) * 15 - 35).clip(-80, 0).astype(np.float32)


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
    projection = principal_projection(embeddings, 2)
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
        PhonemeHead(np.zeros((3, 4), np.float32), np.zeros(5, np.float32))
    with pytest.raises(ValueError, match="9 components"):
        principal_projection(np.zeros((10, 8), np.float32), 9)


def test_the_encoders_phonemes_come_first_as_probabilities(tmp_path: Path) -> None:
    weight = RNG.standard_normal((5, 8)).astype(np.float32)
    save_file({"weight": weight, "bias": np.zeros(5, np.float32)}, tmp_path / HEAD_FILE)
    head = load_phoneme_head(tmp_path, 8)
    embeddings = RNG.standard_normal((300, 8)).astype(np.float32)
    projection = principal_projection(embeddings, 2, head)
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
