"""From prepared shards and an encoded corpus to what the trainer reads."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from dit.phoneme_head import HEAD_FILE
from dit.preparation.shards import ShardError, ShardWriter
from dit.speech_corpus import HELD_OUT_EVERY
from dit.training.clip_pools import Stream, TarPools
from dit.training.sequences import load_spoken
from dit.training.training_set import load_training_set
from models.errors import ConfigError
from tests.training_fixtures import tiny_config, tiny_shard, write_tiny_shards

ENCODER = Path("tiny")  # no directory: an encoder without a phoneme head
STREAM = Stream(0, 1)


def write_spoken(folder: Path, items: int) -> None:
    folder.mkdir(parents=True)
    for index in range(items):
        rng = np.random.default_rng(index)
        np.savez(
            folder / f"tts_{index:03}.npz",
            embeddings=rng.standard_normal((60, 16)).astype(np.float16),
            loudness_db=np.full(60, -20.0, np.float32),
            symbols=np.array(("sil", "m", "ɑ", "sil")),
            start_s=np.array([0.0, 0.5, 0.7, 2.0], np.float32),
            end_s=np.array([0.5, 0.7, 2.0, 2.4], np.float32),
        )


def test_a_twentieth_of_the_speech_is_kept_for_validation(tmp_path: Path) -> None:
    write_spoken(tmp_path / "spoken", HELD_OUT_EVERY + 2)
    kept = [item.name for item in load_spoken(tmp_path / "spoken", held_out=True)]
    used = [item.name for item in load_spoken(tmp_path / "spoken", held_out=False)]
    assert kept == ["tts_000", "tts_020"]
    assert len(used) == HELD_OUT_EVERY
    assert not set(kept) & set(used)
    assert load_spoken(tmp_path / "none", held_out=False) == []


def test_speech_is_mixed_in_for_the_lite_engine_alone(tmp_path: Path) -> None:
    write_tiny_shards(tmp_path / "shards")
    write_spoken(tmp_path / "spoken", 3)
    lite = load_training_set(tmp_path, tiny_config(), ENCODER)
    assert lite.speech is not None
    assert len(lite.speech.items) == 2
    assert len(lite.unseen_speech) == 1
    assert lite.speech.render(0, 0).motion.shape == (70, 70)
    assert lite.speech.measured is not None
    assert lite.speech.measured(lite.speech.items[0].condition).shape == (60, 4)
    real = load_training_set(tmp_path, tiny_config(data={"real_share": 1.0}), ENCODER)
    assert real.speech is None
    other = load_training_set(tmp_path, tiny_config(engine="liveportrait"), ENCODER)
    assert other.speech is None
    assert other.layout.engine == "liveportrait"


def test_statistics_of_a_streamed_set_come_from_every_tar(tmp_path: Path) -> None:
    with ShardWriter(tmp_path / "shards", engine="lite", encoder="tiny", tar_bytes=1) as writer:
        for index in range(4):
            shard = tiny_shard(f"clip{index}", index)
            shard.motion.yaw[:] = 100.0 * (index % 2)
            writer.write(shard)
        writer.write(tiny_shard("left_out", 9, "validation"))
    config = tiny_config(data={"pool_tars": 1, "fit_clips": 4})
    streamed = load_training_set(tmp_path, config, ENCODER)
    whole = load_training_set(tmp_path, tiny_config(), ENCODER)
    np.testing.assert_array_equal(streamed.layout.spread, whole.layout.spread)
    assert streamed.layout.spread[1] == pytest.approx(50.0)
    assert isinstance(streamed.clips, TarPools)
    assert len(streamed.clips.pool(STREAM, 0).sequences) == 1
    assert len(whole.clips.pool(STREAM, 0).sequences) == 4


def test_data_of_another_encoder_is_refused(tmp_path: Path) -> None:
    write_tiny_shards(tmp_path / "shards")
    (tmp_path / "other").mkdir()
    head = {"weight": np.zeros((3, 24), np.float32), "bias": np.zeros(3, np.float32)}
    save_file(head, tmp_path / "other" / HEAD_FILE)
    with pytest.raises(ConfigError, match=r"embeddings of 16 dimensions, encoder .* gives 24"):
        load_training_set(tmp_path, tiny_config(), tmp_path / "other")


def test_a_folder_without_a_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match="dit prepare"):
        load_training_set(tmp_path, tiny_config(), ENCODER)
