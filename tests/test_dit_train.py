"""Training: windows, losses, exact resume; and it learns what can be learnt."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dit.checkpoint import load_checkpoint
from dit.dataset import Masking, Sequence, SpokenItem, WindowSampler, load_shards
from dit.layout import MOTION_CHANNELS, MotionLayout
from dit.model import NetworkConfig
from dit.prepare import Shard
from dit.speech_phonemes import PhonemeTimes
from dit.synthetic import MouthBasis
from dit.train import (
    TrainConfig,
    Trainer,
    TrainingData,
    learning_rate,
    validate,
)
from dit.training_data import load_training_data
from models.errors import WeightsError
from models.motion import Motion, rest
from models.shapes import FloatArray
from models.speech import SpeechFeatures
from models.timing import CONTEXT_FRAMES
from tests.dit_fixtures import tiny_checkpoint

PROJECTION = tiny_checkpoint().projection
CHANNELS = PROJECTION.channels
LAYOUT = MotionLayout(
    "lite", np.zeros(MOTION_CHANNELS, np.float32), np.ones(MOTION_CHANNELS, np.float32)
)


def sequence(frames: int, seed: int) -> Sequence:
    """Lips that follow the first condition channel, all else still."""
    rng = np.random.default_rng(seed)
    condition = rng.standard_normal((frames, CHANNELS + 1)).astype(np.float32)
    condition[:, -1] = 1.0
    motion = np.zeros((frames, MOTION_CHANNELS), np.float32)
    motion[:, 7 + 3 * 5 + 1] = 3 * condition[:, 0]
    motion[:, 7 + 3 * 1] = 3 * condition[:, 1]
    return Sequence(motion, condition)


def spoken_item(seed: int) -> SpokenItem:
    rng = np.random.default_rng(seed)
    times = PhonemeTimes(
        ("sil", "m", "ɑ", "sil"),
        np.array([0.0, 0.5, 0.7, 2.0], np.float32),
        np.array([0.5, 0.7, 2.0, 2.4], np.float32),
    )
    low_rank = rng.standard_normal((60, CHANNELS)).astype(np.float32)
    return SpokenItem(f"s{seed}", times, low_rank, np.full(60, -20.0, np.float32))


def training_data(spoken: bool = True) -> TrainingData:
    directions = np.zeros((4, 21, 3), np.float32)
    directions[0, 5, 1] = 1.0
    return TrainingData(
        LAYOUT,
        PROJECTION,
        "tiny",
        [sequence(120, seed) for seed in range(4)],
        [spoken_item(0), spoken_item(1)] if spoken else [],
        [rest(50)],
        MouthBasis(directions),
        [sequence(80, 9)],
    )


CONFIG = TrainConfig(steps=6, batch=4, validate_every=2, warmup_steps=2, resynthesise_every=4)
NETWORK = NetworkConfig(MOTION_CHANNELS, CHANNELS, width=16, layers=1, heads=2, dropout=0.1)


def weights(trainer: Trainer) -> FloatArray:
    flat: FloatArray = torch.cat([p.detach().flatten() for p in trainer.ema.parameters()]).numpy()
    return flat


def test_a_run_that_was_stopped_ends_like_one_that_was_not(tmp_path: Path) -> None:
    whole = Trainer(CONFIG, NETWORK, training_data())
    whole.run(tmp_path / "whole", lambda _scores: None)
    first = Trainer(CONFIG, NETWORK, training_data())
    for _ in range(3):
        first.train_step()
    first.save(tmp_path / "part")
    second = Trainer(CONFIG, NETWORK, training_data())
    second.resume(tmp_path / "part")
    assert second.step == 3
    second.run(tmp_path / "part", lambda _scores: None)
    np.testing.assert_array_equal(weights(second), weights(whole))


def test_a_run_writes_checkpoints_that_load(tmp_path: Path) -> None:
    reports: list[dict[str, float]] = []
    Trainer(CONFIG, NETWORK, training_data()).run(tmp_path, reports.append)
    assert [r["step"] for r in reports] == [2, 4, 6]
    assert load_checkpoint(tmp_path / "best", "lite").encoder == "tiny"
    assert load_checkpoint(tmp_path / "last").network.config == NETWORK


def test_resuming_with_other_settings_is_refused(tmp_path: Path) -> None:
    Trainer(CONFIG, NETWORK, training_data()).save(tmp_path)
    other = Trainer(TrainConfig(steps=7), NETWORK, training_data())
    with pytest.raises(WeightsError, match="other settings"):
        other.resume(tmp_path)


def test_lips_that_follow_the_voice_are_learnt(tmp_path: Path) -> None:
    config = TrainConfig(
        steps=120,
        batch=16,
        validate_every=120,
        warmup_steps=10,
        learning_rate=5e-3,
        ema_decay=0.9,
        long_window_share=0.0,
        masking=Masking(no_voice=0.0, late_voice=0.0),
    )
    network = NetworkConfig(MOTION_CHANNELS, CHANNELS, width=32, layers=1, heads=2, dropout=0.0)
    trainer = Trainer(config, network, training_data(spoken=False))
    before = validate(trainer.ema, LAYOUT, trainer.data.validation)
    reports: list[dict[str, float]] = []
    trainer.run(tmp_path, reports.append)
    assert before["gap_r"] < 0.3
    assert reports[-1]["gap_r"] > 0.8


def test_windows_keep_motion_and_voice_together_and_masks_are_honoured() -> None:
    sampler = WindowSampler([sequence(50, 1)], np.random.default_rng(0))
    clean = Masking(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    batch = sampler.draw(8, 20, clean)
    new = batch.condition[:, CONTEXT_FRAMES:]
    torch.testing.assert_close(batch.target[..., 7 + 3 * 5 + 1], 3 * new[..., 0])
    assert (batch.condition[..., -1] == 1).all()
    assert (batch.context[..., -1] == 1).all()
    blind = sampler.draw(8, 20, Masking(no_voice=1.0, no_context=1.0))
    assert blind.condition.abs().max() == 0
    assert blind.context.abs().max() == 0
    late = sampler.draw(64, 20, Masking(no_voice=0.0, late_voice=1.0)).condition[..., -1]
    assert (late[:, :CONTEXT_FRAMES] == 1).all()
    assert (late.diff(dim=1) <= 0).all()
    assert 0 < late[:, CONTEXT_FRAMES:].mean() < 1


def test_clips_shorter_than_a_window_hold_their_last_frame() -> None:
    sampler = WindowSampler([sequence(12, 1)], np.random.default_rng(0))
    batch = sampler.draw(2, 20, Masking(0.0, 0.0, 0.0, 0.0, 0.0, 0.0))
    assert (batch.target[:, 2:].diff(dim=1) == 0).all()


def test_the_learning_rate_warms_up_and_falls() -> None:
    config = TrainConfig(steps=100, warmup_steps=10, learning_rate=1.0)
    rates = [learning_rate(config, step) for step in range(101)]
    assert np.argmax(rates) in (9, 10)
    assert (np.diff(rates[10:]) <= 0).all()
    assert rates[-1] == pytest.approx(0.05)


def shard(name: str, seed: int) -> Shard:
    rng = np.random.default_rng(seed)
    motion = rest(60)
    motion.exp[:] = rng.standard_normal(motion.exp.shape)
    voice = SpeechFeatures(
        rng.standard_normal((60, 16)).astype(np.float32), np.full(60, -25.0, np.float32)
    )
    gap = np.abs(rng.standard_normal(60)).astype(np.float32)
    return Shard(name, motion, voice, gap, gap)


def test_whole_people_are_kept_out_of_training(tmp_path: Path) -> None:
    for index, name in enumerate(("LipNet__x", "SadTalker__y", "Other__z", "More__w")):
        shard(name, index).save(tmp_path / "shards")
    assert [s.name for s in load_shards(tmp_path / "shards", held_out=True)] == [
        "LipNet__x",
        "SadTalker__y",
    ]
    data, alignments = load_training_data(tmp_path, "lite", tmp_path / "tiny", 4)
    assert len(data.real) == 2
    assert len(data.validation) == 2
    assert alignments == {}
    assert data.projection.channels == 4 + 2
    assert data.encoder == "tiny"
    with pytest.raises(ValueError, match="dit prepare"):
        load_shards(tmp_path / "nothing", held_out=True)


def test_a_shard_is_read_as_it_was_written(tmp_path: Path) -> None:
    before = shard("One__a", 3)
    before.save(tmp_path)
    after = Shard.load(tmp_path / "One__a.npz")
    assert isinstance(after.motion, Motion)
    np.testing.assert_array_equal(after.motion.exp, before.motion.exp)
    np.testing.assert_array_equal(after.voice.embeddings, before.voice.embeddings)
