"""A set of made-up clips and speech that a tiny network is trained on in a second."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from dit.layout import MOTION_CHANNELS, MotionLayout
from dit.preparation.shards import Shard, ShardWriter
from dit.speech_phonemes import PhonemeTimes
from dit.style import STYLE_CHANNELS
from dit.synthetic import MouthBasis
from dit.training.clip_pools import Pool, ResidentClips
from dit.training.config import TrainConfig
from dit.training.sequences import Sequence, SpokenItem, SyntheticSpeech
from dit.training.training_set import TrainingSet
from dit.training.typed_yaml import typed
from models.held_out import Split
from models.motion import rest
from models.shapes import FloatArray
from models.speech import SpeechFeatures
from tests.dit_fixtures import tiny_checkpoint

PROJECTION = tiny_checkpoint().projection
CHANNELS = PROJECTION.channels
LAYOUT = MotionLayout(
    "lite", np.zeros(MOTION_CHANNELS, np.float32), np.ones(MOTION_CHANNELS, np.float32)
)
LOWER_LIP_Y, RIGHT_CORNER_X = 7 + 3 * 5 + 1, 7 + 3 * 1  # opening and width follow these


def tiny_config(**sections: Any) -> TrainConfig:
    """A run of six steps; sections are put over it."""
    values: dict[str, Any] = {
        "steps": 6,
        "network": {"width": 16, "layers": 1, "heads": 2, "dropout": 0.1},
        "optimizer": {"warmup_steps": 2},
        "data": {"batch": 4, "resynthesise_every": 4, "components": 4},
        "run": {"device": "cpu", "validate_every": 2, "save_every": 2, "log_every": 1},
    }
    for name, given in sections.items():
        values[name] = {**values[name], **given} if isinstance(values.get(name), dict) else given
    return typed(TrainConfig, values)


def sequence(frames: int, seed: int) -> Sequence:
    """Lips that follow the first condition channels, all else still."""
    rng = np.random.default_rng(seed)
    condition = rng.standard_normal((frames, CHANNELS + 1)).astype(np.float32)
    condition[:, -1] = 1.0
    motion = np.zeros((frames, MOTION_CHANNELS), np.float32)
    motion[:, LOWER_LIP_Y] = 3 * condition[:, 0]
    motion[:, RIGHT_CORNER_X] = 3 * condition[:, 1]
    return Sequence(motion, condition, np.full(STYLE_CHANNELS, seed, np.float32))


def spoken_item(seed: int) -> SpokenItem:
    rng = np.random.default_rng(seed)
    times = PhonemeTimes(
        ("sil", "m", "ɑ", "sil"),
        np.array([0.0, 0.5, 0.7, 2.0], np.float32),
        np.array([0.5, 0.7, 2.0, 2.4], np.float32),
    )
    condition = rng.standard_normal((60, CHANNELS)).astype(np.float32)
    return SpokenItem(f"s{seed}", times, condition, np.full(60, -20.0, np.float32))


def tiny_set(speech: bool = True) -> TrainingSet:
    """Four clips, two spoken items, one clip and one item left out."""
    directions = np.zeros((4, 21, 3), np.float32)
    directions[0, 5, 1] = 1.0
    spoken = SyntheticSpeech(
        [spoken_item(0), spoken_item(1)], [rest(50)], MouthBasis(directions), LAYOUT, seed=1
    )
    return TrainingSet(
        LAYOUT,
        PROJECTION,
        "tiny",
        ResidentClips(Pool.of([sequence(120, seed) for seed in range(4)])),
        spoken if speech else None,
        [sequence(80, 9)],
        [spoken_item(2)],
    )


def flat_weights(module: torch.nn.Module) -> FloatArray:
    """All parameters one after the other."""
    flat: FloatArray = torch.cat([p.detach().flatten() for p in module.parameters()]).numpy()
    return flat


def tiny_shard(name: str, seed: int, split: Split = "train", frames: int = 60) -> Shard:
    rng = np.random.default_rng(seed)
    motion = rest(frames)
    motion.exp[:] = rng.standard_normal(motion.exp.shape)
    voice = SpeechFeatures(
        rng.standard_normal((frames, 16)).astype(np.float32), np.full(frames, -25.0, np.float32)
    )
    gap = np.abs(rng.standard_normal(frames)).astype(np.float32)
    return Shard(name, motion, voice, gap, gap, split)


def write_tiny_shards(folder: Path, train: int = 6, tar_bytes: int = 1) -> None:
    """``train`` clips, a tar each unless ``tar_bytes`` is more, and two of people left out."""
    with ShardWriter(folder, engine="lite", encoder="tiny", tar_bytes=tar_bytes) as writer:
        for index in range(train):
            writer.write(tiny_shard(f"clip{index}", index))
        writer.write(tiny_shard("left_out", 90, "validation"))
        writer.write(tiny_shard("reported", 91, "test"))
