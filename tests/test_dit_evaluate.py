"""The yardstick itself: it must tell good lips from bad ones."""

import json
from pathlib import Path

import numpy as np
import pytest

from dit.checkpoint import save_checkpoint
from dit.clips import Track
from dit.evaluate import (
    LoudnessBaseline,
    border_velocity,
    count_blinks,
    evaluate,
    generate,
    score_clip,
    spans,
    write_report,
)
from dit.generator import MotionGenerator
from dit.idle import UPPER_LID_UNITS
from dit.prepare import Shard
from dit.speech_phonemes import PhonemeTimes
from models.face_keypoints import lip_gap, lip_width
from models.motion import Motion, rest
from models.shapes import FloatArray
from models.speech import SpeechFeatures
from tests.dit_fixtures import TORCH_POLICY, babble, tiny_checkpoint, tiny_encoder
from tests.test_dit_layout import some_motion

FRAMES = 90
GENERATOR = MotionGenerator(tiny_checkpoint(), tiny_encoder(), TORCH_POLICY)


def face(opening: FloatArray) -> FloatArray:
    """Meshes whose lips open and spread with ``opening`` [T]."""
    points = np.random.default_rng(0).uniform(100, 300, (1, 478, 3)).repeat(len(opening), 0)
    points[:, 33], points[:, 263] = (150, 180, 0), (250, 180, 0)
    points[:, 13], points[:, 14] = (200, 250, 0), (200, 250, 0)
    points[:, 61], points[:, 291] = (170, 250, 0), (230, 250, 0)
    points[:, 14, 1] += opening
    points[:, 291, 0] += 2 * opening
    return points.astype(np.float32)


def shard(name: str, seed: int) -> tuple[Shard, Track]:
    rng = np.random.default_rng(seed)
    loudness = (-40 + 20 * np.abs(np.sin(np.arange(FRAMES) / 3 + seed))).astype(np.float32)
    opening = (loudness + 45 + rng.standard_normal(FRAMES)).astype(np.float32)
    track = Track(face(opening), np.ones(FRAMES, np.bool_), babble(FRAMES / 25, seed))
    voice = SpeechFeatures(np.zeros((FRAMES, 16), np.float32), loudness)
    motion = some_motion(FRAMES, seed)
    return Shard(name, motion, voice, lip_gap(track.points), lip_width(track.points)), track


def test_the_baseline_follows_lips_that_follow_loudness() -> None:
    shards = [shard("a", seed)[0] for seed in range(3)]
    guess = LoudnessBaseline(shards[:2])(shards[2].voice.loudness_db)
    assert np.corrcoef(guess[:, 0], shards[2].gap)[0, 1] > 0.9


def test_lips_like_the_clips_score_one_and_others_do_not() -> None:
    truth, track = shard("a", 1)
    motion = rest(FRAMES)
    opening = truth.gap * 105.0
    motion.exp[:, 5, 1] = opening
    motion.exp[:, 1, 0] = opening
    score = score_clip("a", motion, track, LoudnessBaseline([truth]))
    assert score.gap_r > 0.99
    assert score.width_r > 0.99
    assert score.gap_spread == pytest.approx(1.0, rel=0.01)
    other = score_clip("a", some_motion(FRAMES, 5), track, LoudnessBaseline([truth]))
    assert abs(other.gap_r) < 0.5


def test_a_step_at_every_hop_shows_as_border_velocity() -> None:
    calm = rest(100)
    calm.yaw[:] = np.sin(np.arange(100))
    stepped = Motion(
        calm.pitch,
        np.repeat(np.arange(20) % 2, 5).astype(np.float32),
        calm.roll,
        calm.t,
        calm.scale,
        calm.exp,
    )
    assert border_velocity(GENERATOR, [calm], "live") == pytest.approx(1.0, abs=0.3)
    stepped.yaw[:] += 0.01 * np.arange(100)
    assert border_velocity(GENERATOR, [stepped], "live") > 20


def test_blinks_are_counted_once_each() -> None:
    motion = rest(50)
    motion.exp[10:14, 14, 1] = motion.exp[10:14, 16, 1] = UPPER_LID_UNITS
    motion.exp[30:33, 14, 1] = motion.exp[30:33, 16, 1] = UPPER_LID_UNITS
    assert count_blinks(motion) == 2
    assert count_blinks(rest(50)) == 0


def test_sounds_are_found_with_a_frame_on_both_sides() -> None:
    times = PhonemeTimes(
        ("sil", "m", "ɑ"),
        np.array([0, 0.4, 0.52], np.float32),
        np.array([0.4, 0.52, 1], np.float32),
    )
    assert spans(times, "pbm") == [(9, 15)]


def test_an_evaluation_covers_the_held_out_people_and_is_written(tmp_path: Path) -> None:
    for name, seed in (("Known__a", 1), ("LipNet__b", 2), ("SadTalker__c", 3)):
        one, track = shard(name, seed)
        one.save(tmp_path / "shards")
        track.save(tmp_path / "tracks" / f"{name}.npz")
    result = evaluate(GENERATOR, tmp_path, None, "live")
    assert [c.name for c in result.clips] == ["LipNet__b", "SadTalker__c"]
    assert np.isnan(result.closures_shut)
    write_report([result], tmp_path / "report", "python -m dit evaluate")
    text = (tmp_path / "report/EVALUATION.md").read_text()
    assert "| loudness alone |" in text
    assert "LipNet__b" in text
    assert json.loads((tmp_path / "report/evaluation.json").read_text())[0]["mode"] == "live"
    shard("Known__a", 1)[0].save(tmp_path / "empty/shards")
    with pytest.raises(ValueError, match="no held-out clips"):
        evaluate(GENERATOR, tmp_path / "empty", None, "live")


def test_generating_twice_gives_the_same_frames(tmp_path: Path) -> None:
    save_checkpoint(tiny_checkpoint(), tmp_path)
    loaded = MotionGenerator.load(tmp_path, tiny_encoder(), TORCH_POLICY, engine="lite")
    wave = babble(1.0)
    one, other = generate(GENERATOR, wave, "chunk"), generate(loaded, wave, "chunk")
    np.testing.assert_array_equal(one.exp, other.exp)
