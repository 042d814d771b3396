"""The speech corpus becomes features beside its phonemes."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from dit.preparation.spoken import encode_corpus
from dit.preparation.video import ClipError
from tests.dit_fixtures import EMBEDDING_DIM, babble, tiny_encoder


def test_every_item_is_encoded_with_its_phonemes(tmp_path: Path) -> None:
    wave = babble(1.0)
    soundfile.write(tmp_path / "tts_0000000.flac", wave, 16_000, subtype="PCM_16")
    np.savez(
        tmp_path / "tts_0000000.npz",
        symbols=np.array(["sil", "m"]),
        text=np.array("m"),
        start_s=np.array([0.0, 0.4], np.float32),
        end_s=np.array([0.4, 1.0], np.float32),
    )
    assert encode_corpus(tmp_path, tmp_path / "out", tiny_encoder()) == 1
    with np.load(tmp_path / "out/spoken/tts_0000000.npz") as stored:
        assert stored["embeddings"].shape == (25, EMBEDDING_DIM)
        assert stored["symbols"].tolist() == ["sil", "m"]
        expected = tiny_encoder().encode(wave).loudness_db
        np.testing.assert_allclose(stored["loudness_db"], expected, atol=0.1)


def test_a_folder_without_speech_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClipError, match="speech-corpus"):
        encode_corpus(tmp_path, tmp_path, tiny_encoder())
