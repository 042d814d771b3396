"""Motion as a file, and a speaker's style from a reference clip."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from dit.checkpoint import load_checkpoint, save_checkpoint
from dit.generator import MotionGenerator
from dit.reference_clip import reference_motion
from dit.sample import sample, write_motion
from dit.style import STYLE_CHANNELS, style_of, style_of_motion
from models.errors import ConfigError
from models.motion import Motion, concatenate
from models.shapes import FloatArray
from tests.conftest import ROOT
from tests.dit_fixtures import TORCH_POLICY, babble, tiny_checkpoint, tiny_encoder
from tests.speech_encoder_fixtures import write_encoder
from tests.test_dit_layout import some_motion
from tests.training_fixtures import LAYOUT, tiny_shard, write_tiny_shards

WAVE = babble(1.0)


def generated(generator: MotionGenerator, style: FloatArray | None) -> Motion:
    stream = generator.start(mode="live", seed=3, style=style)
    return concatenate([stream.push(WAVE), stream.finish()])


def test_the_file_holds_the_motion_of_every_frame(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "voice.wav", WAVE[:-100], 16_000)
    save_checkpoint(tiny_checkpoint(), tmp_path / "motion")
    encoder = write_encoder(tmp_path / "encoder", hidden_size=16)
    out = tmp_path / "new/motion.npz"
    said = sample(tmp_path / "voice.wav", out, tmp_path / "motion", encoder, "live", 3, None)
    assert said == f"25 frames (1.00 s) for engine lite -> {out}"
    with np.load(out) as stored:
        shapes = {name: stored[name].shape for name in stored.files}
        assert (int(stored["fps"]), str(stored["engine"])) == (25, "lite")
        assert np.abs(stored["exp"]).max() > 0
    assert shapes == {
        "pitch": (25,),
        "yaw": (25,),
        "roll": (25,),
        "t": (25, 3),
        "scale": (25,),
        "exp": (25, 21, 3),
        "fps": (),
        "engine": (),
    }
    with pytest.raises(ConfigError, match="takes none"):  # a checkpoint without style
        sample(tmp_path / "voice.wav", out, tmp_path / "motion", encoder, "live", 3, str(out))
    with pytest.raises(ConfigError, match="accepted: live, chunk"):
        sample(tmp_path / "voice.wav", out, tmp_path / "motion", encoder, "slow", 3, None)
    with pytest.raises(ConfigError, match=r"ends in \.npz"):
        sample(
            tmp_path / "voice.wav",
            tmp_path / "a.mp4",
            tmp_path / "motion",
            encoder,
            "live",
            3,
            None,
        )


def test_the_shipped_checkpoint_needs_no_style() -> None:
    shipped = load_checkpoint(ROOT / "weights/motion/lite")
    assert shipped.network.config.style_channels == 0


def test_a_style_changes_the_motion_and_an_unknown_one_does_not(tmp_path: Path) -> None:
    save_checkpoint(tiny_checkpoint(style_channels=STYLE_CHANNELS), tmp_path)
    generator = MotionGenerator.load(tmp_path, tiny_encoder(), TORCH_POLICY)
    lively = style_of_motion(some_motion(60, 1), generator.checkpoint.layout)
    plain, styled = generated(generator, None), generated(generator, lively)
    assert np.abs(plain.yaw - styled.yaw).max() > 1e-3
    np.testing.assert_array_equal(styled.yaw, generated(generator, lively).yaw)
    with pytest.raises(ConfigError, match=f"takes {STYLE_CHANNELS}"):
        generator.start(mode="live", seed=0, style=lively[:-1])


def test_a_style_tells_calm_from_lively_and_slow_from_quick() -> None:
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.standard_normal((200, 70)), 0).astype(np.float32)
    walk = (walk - walk.mean(0)) / walk.std(0)
    quick = rng.permutation(walk)
    mean, spread, change = np.split(style_of(walk), 3)
    assert np.abs(mean).max() < 1e-5
    np.testing.assert_allclose(spread, np.log(1.05), rtol=1e-3)
    assert (np.split(style_of(2 * walk), 3)[1] > spread + 0.5).all()
    assert (np.split(style_of(quick), 3)[2] > change + 0.5).all()
    np.testing.assert_allclose(np.split(style_of(quick), 3)[1], spread, rtol=1e-3)
    with pytest.raises(ValueError, match="at least 25 frames"):
        style_of(walk[:24])


def test_a_reference_clip_is_a_motion_file_a_track_or_a_shard(tmp_path: Path) -> None:
    motion = some_motion(30, 2)
    write_motion(motion, tmp_path / "motion.npz", "lite")
    np.testing.assert_array_equal(reference_motion(str(tmp_path / "motion.npz")).exp, motion.exp)
    write_tiny_shards(tmp_path / "shards", train=3)
    shard = reference_motion(f"{tmp_path / 'shards'}:clip2")
    np.testing.assert_array_equal(shard.exp, tiny_shard("clip2", 2).motion.exp)
    mesh = np.random.default_rng(0).uniform(100, 300, (1, 478, 3)).repeat(30, 0)
    np.savez(tmp_path / "track.npz", points=mesh.astype(np.float32))
    assert len(reference_motion(str(tmp_path / "track.npz"))) == 30
    assert style_of_motion(motion, LAYOUT).shape == (STYLE_CHANNELS,)


def test_anything_else_is_no_reference_clip(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    (tmp_path / "voice.wav").write_bytes(b"RIFF")
    write_tiny_shards(tmp_path / "shards", train=1)
    for reference, message in (
        (tmp_path / "other.npz", "no reference clip"),
        (tmp_path / "voice.wav", "no reference clip"),
        (tmp_path / "missing.npz", "no reference clip"),
        (f"{tmp_path / 'shards'}:nobody", "has no clip 'nobody'"),
    ):
        with pytest.raises(ConfigError, match=message):
            reference_motion(str(reference))
