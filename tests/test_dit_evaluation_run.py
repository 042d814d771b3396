"""A whole evaluation, from tracks on disk to report and sheet."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dit.checkpoint import save_checkpoint
from dit.evaluation.command import EvaluateJob
from dit.evaluation.report import write_report
from dit.evaluation.run import Judged, evaluate, gather
from dit.evaluation.sheet import write_sheet
from dit.evaluation.stage_times import measure_stages
from dit.evaluation.voices import generate, long_voice
from dit.generator import MotionGenerator
from dit.preparation.tracks import Track
from models.errors import ConfigError
from models.timing import SAMPLE_RATE_HZ
from tests.dit_fixtures import TORCH_POLICY, babble, tiny_checkpoint, tiny_encoder
from tests.evaluation_fixtures import FRAMES, face

GENERATOR = MotionGenerator(tiny_checkpoint(), tiny_encoder(), TORCH_POLICY)
COMMAND = "python -m dit evaluate"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    opening = np.abs(np.sin(np.arange(FRAMES) / 4)).astype(np.float32) * 20
    for name, seed in (("Known__a", 1), ("LipNet__b", 2), ("SadTalker__c", 3), ("MimicTalk__d", 4)):
        track = Track(face(opening), np.ones(FRAMES, np.bool_), babble(FRAMES / 25, seed))
        track.save(tmp_path / "tracks" / f"{name}.npz")
    return tmp_path


def judged(data: Path) -> Judged:
    return gather(data, "test", None, long_minutes=0.2)


def test_an_evaluation_covers_the_clips_of_its_split_and_is_written(data: Path) -> None:
    result, motions = evaluate(GENERATOR, judged(data), "live")
    assert [clip.name for clip in result.clips] == ["LipNet__b", "SadTalker__c"]
    assert [len(motion) for motion in motions] == [FRAMES, FRAMES]
    assert result.events is None
    assert result.drift is None
    assert (result.hop_frames, result.lookahead_frames) == (5, 5)
    times = measure_stages(GENERATOR)
    assert min(times.encoder_ms, times.planner_ms) > 0.0
    write_report([result], times, data / "report", COMMAND)
    text = (data / "report/EVALUATION.md").read_text()
    for part in ("loudness alone", "a still face", "another clip's mouth", "SadTalker__c", "jerk"):
        assert part in text
    figures = json.loads((data / "report/evaluation.json").read_text())
    assert figures["evaluations"][0]["gap"]["r"]["count"] == 2


def test_the_sheet_shows_every_clip(data: Path) -> None:
    import cv2

    asked = judged(data)
    result, motions = evaluate(GENERATOR, asked, "chunk")
    write_sheet(data / "lips.png", asked.clips, motions, result.clips, asked.baseline)
    one_row = replace(asked, clips=asked.clips[:1])
    write_sheet(data / "one.png", one_row.clips, motions[:1], result.clips[:1], asked.baseline)
    both, one = (np.asarray(cv2.imread(str(data / name))) for name in ("lips.png", "one.png"))
    assert both.shape[0] > 1.5 * one.shape[0]
    assert (both.reshape(-1, 3).std(0) > 5).all()


def test_one_clip_that_says_nothing_is_judged_all_the_same(tmp_path: Path) -> None:
    still = np.zeros(FRAMES, np.float32)
    silence = np.zeros(FRAMES * 640, np.float32)
    Track(face(still), np.ones(FRAMES, np.bool_), silence).save(tmp_path / "tracks/LipNet__a.npz")
    result, _ = evaluate(GENERATOR, judged(tmp_path), "live")
    assert result.gap.r.median == 0.0
    assert result.gap.other_clip_r.count == 0
    write_report([result], None, tmp_path, COMMAND)


def test_what_cannot_be_judged_is_told(data: Path) -> None:
    with pytest.raises(ConfigError, match="no clips of split 'test'"):
        gather(data / "elsewhere", "test", None)
    with pytest.raises(ConfigError, match="accepted: above 0"):
        gather(data, "test", None, long_minutes=0.0)
    implicit = MotionGenerator(tiny_checkpoint("liveportrait"), tiny_encoder(), TORCH_POLICY)
    with pytest.raises(ConfigError, match="'liveportrait'"):
        evaluate(implicit, judged(data), "live")
    job = EvaluateJob(data, data, data, None, None, None, "test", None, 1.0, 5, 5)
    with pytest.raises(ConfigError, match="accepted: live, chunk"):
        replace(job, modes=["fast"])
    with pytest.raises(ConfigError, match="accepted: train, validation, test"):
        replace(job, split_name="held-out")
    assert replace(job, modes=["chunk"]).asked_modes == ["chunk"]
    assert job.asked_modes == ["live", "chunk"]


def test_a_long_voice_is_the_voices_again_and_again() -> None:
    one, other = babble(1.0, 1), babble(0.5, 2)
    voice = long_voice([one, other], 2.5 / 60)
    assert len(voice) == 2.5 * SAMPLE_RATE_HZ
    np.testing.assert_array_equal(voice[-len(one) :], one)
    assert len(long_voice([np.zeros(0, np.float32)], 1.0)) == 0


def test_generating_twice_gives_the_same_frames(tmp_path: Path) -> None:
    save_checkpoint(tiny_checkpoint(), tmp_path)
    loaded = MotionGenerator.load(tmp_path, tiny_encoder(), TORCH_POLICY, engine="lite")
    wave = babble(1.0)
    one, other = generate(GENERATOR, wave, "chunk"), generate(loaded, wave, "chunk")
    np.testing.assert_array_equal(one.exp, other.exp)
