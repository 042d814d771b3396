"""The motion stream: any packets, one motion; rewinding and interrupting without a jump."""

from dataclasses import fields
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dit.generator import MotionControls, MotionGenerator, MotionStream
from dit.layout import FACE_PARTS
from models.errors import ConfigError, WeightsError
from models.motion import Motion, concatenate
from models.shapes import FloatArray
from models.timing import SAMPLES_PER_FRAME
from tests.dit_fixtures import TORCH_POLICY, babble, tiny_checkpoint, tiny_encoder

GENERATOR = MotionGenerator(tiny_checkpoint(), tiny_encoder(), TORCH_POLICY)
VOICE = babble(4.3)
MOUTH = list(FACE_PARTS["lite"].mouth)


def whole(stream: MotionStream, voice: FloatArray = VOICE) -> Motion:
    return concatenate([stream.push(voice), stream.finish()])


def assert_same(one: Motion, other: Motion, atol: float = 0.0) -> None:
    for field in fields(Motion):
        np.testing.assert_allclose(
            getattr(one, field.name), getattr(other, field.name), rtol=0, atol=atol
        )


@pytest.mark.parametrize("mode", ["live", "chunk"])
def test_a_voice_gives_a_frame_for_every_640_samples_it_touches(mode: str) -> None:
    for samples in (1, 640, 641, 5 * 640, 66 * 640 + 3):
        motion = whole(GENERATOR.start(mode=mode, seed=1), VOICE[:samples])  # type: ignore[arg-type]
        assert len(motion) == -(-samples // SAMPLES_PER_FRAME)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    cuts=st.lists(st.integers(0, len(VOICE)), max_size=30),
    mode=st.sampled_from(["live", "chunk"]),
)
def test_packets_of_any_size_give_the_motion_of_the_file(cuts: list[int], mode: str) -> None:
    bounds = [0, *sorted(cuts), len(VOICE)]
    stream = GENERATOR.start(mode=mode, seed=5)  # type: ignore[arg-type]
    parts = [stream.push(VOICE[a:b]) for a, b in pairwise(bounds)]
    assert_same(
        concatenate([*parts, stream.finish()]),
        whole(GENERATOR.start(mode=mode, seed=5)),  # type: ignore[arg-type]
    )


def test_the_voice_and_the_seed_both_change_the_motion() -> None:
    motion = whole(GENERATOR.start(mode="live", seed=1))
    other_seed = whole(GENERATOR.start(mode="live", seed=2))
    other_voice = whole(GENERATOR.start(mode="live", seed=1), babble(4.3, seed=9))
    assert np.abs(motion.yaw - other_seed.yaw).max() > 0.1
    assert np.abs(motion.exp[:, MOUTH] - other_voice.exp[:, MOUTH]).max() > 1e-4


def test_a_frame_waits_for_no_more_voice_than_promised() -> None:
    stream = GENERATOR.start(mode="live", seed=1)
    pushed = 0
    for start in range(0, 60 * SAMPLES_PER_FRAME, 160):
        pushed += len(VOICE[start : start + 160])
        stream.push(VOICE[start : start + 160])
        assert stream.committed_frames >= pushed // SAMPLES_PER_FRAME - stream.delay_frames
    assert stream.delay_frames == 9


def test_rewinding_and_saying_the_same_again_repeats_the_motion() -> None:
    stream = GENERATOR.start(mode="live", seed=4)
    first = stream.push(VOICE)
    stream.rewind(40)
    assert stream.committed_frames == 40
    again = stream.push(VOICE[40 * SAMPLES_PER_FRAME :])
    assert_same(again, first[40:])


def test_rewinding_to_other_words_does_not_jump() -> None:
    stream = GENERATOR.start(mode="live", seed=4)
    first = stream.push(VOICE)
    usual = np.abs(np.diff(first.yaw)).max()
    stream.rewind(50)
    second = stream.push(babble(2.0, seed=7))
    assert abs(float(second.yaw[0] - first.yaw[49])) <= 2 * usual


def test_rewinding_reaches_voice_that_is_not_encoded_yet() -> None:
    stream = GENERATOR.start(mode="live", seed=4)
    stream.push(VOICE[: 12 * SAMPLES_PER_FRAME])
    stream.rewind(10)
    motion = concatenate([stream.push(VOICE[10 * SAMPLES_PER_FRAME :]), stream.finish()])
    reference = whole(GENERATOR.start(mode="live", seed=4))
    assert_same(motion, reference[len(reference) - len(motion) :], atol=0.0)


@pytest.mark.parametrize("frame", [3, -5, 500])
def test_rewinding_elsewhere_is_refused(frame: int) -> None:
    stream = GENERATOR.start(mode="live", seed=4)
    stream.push(VOICE)
    with pytest.raises(ValueError, match="rewind"):
        stream.rewind(frame)


@pytest.mark.parametrize("mode", ["live", "chunk"])
def test_an_interrupted_mouth_is_at_rest_after_five_frames(mode: str) -> None:
    stream = GENERATOR.start(mode=mode, seed=4)  # type: ignore[arg-type]
    spoken = stream.push(VOICE)
    assert np.abs(spoken.exp[49, MOUTH]).max() > 0.05
    stream.interrupt(50)
    silence = np.zeros(80 * SAMPLES_PER_FRAME, np.float32)
    after = stream.push(silence)
    assert np.abs(after.exp[4:, MOUTH]).max() < 1e-6
    way = np.abs(spoken.exp[49, MOUTH]).max()
    assert np.abs(after.exp[0, MOUTH] - spoken.exp[49, MOUTH]).max() < 0.5 * way


def test_silence_keeps_the_mouth_shut_while_the_head_lives() -> None:
    silence = np.zeros(20 * 25 * SAMPLES_PER_FRAME, np.float32)
    motion = whole(GENERATOR.start(mode="live", seed=4), silence)
    assert np.abs(motion.exp[:, MOUTH]).max() == 0.0
    assert motion.yaw.std() > 0.1


def test_controls_scale_head_and_expression_and_may_change_while_running() -> None:
    still = MotionControls(head=0.0, expression=0.0, blink=0.0, gaze=0.0)
    motion = whole(GENERATOR.start(mode="live", seed=4, controls=still))
    assert np.abs(motion.yaw).max() == 0.0
    assert np.abs(motion.exp).max() == 0.0
    stream = GENERATOR.start(mode="live", seed=4, controls=still)
    stream.push(VOICE[: 40 * SAMPLES_PER_FRAME])
    stream.controls = MotionControls()
    assert np.abs(stream.push(VOICE[40 * SAMPLES_PER_FRAME :]).yaw).max() > 0.0


def test_a_change_of_controls_eases_in_and_is_found_again_after_a_rewind() -> None:
    usual = whole(GENERATOR.start(mode="live", seed=4))
    stream = GENERATOR.start(mode="live", seed=4)
    first = stream.push(VOICE[: 60 * SAMPLES_PER_FRAME])
    stream.controls = MotionControls(head=0.0, gaze=0.0, mood="happy")
    changed = concatenate([first, stream.push(VOICE[60 * SAMPLES_PER_FRAME :])])
    at = len(first)
    assert_same(changed[:at], usual[:at])
    assert np.abs(changed.yaw[at + 20 :]).max() == 0.0
    assert stream.controls.mood == "happy"
    allowed = np.abs(usual.yaw).max() * 2 / 20 + np.abs(np.diff(usual.yaw)).max()
    assert np.abs(np.diff(changed.yaw[at - 1 :])).max() <= allowed
    corners = [0, 1]
    smiling = changed.exp[:, corners, 1] - usual.exp[: len(changed), corners, 1]
    assert smiling[-1].max() < -2.0
    assert np.abs(np.diff(smiling, axis=0)).max() < 0.5
    stream.rewind(50)
    again = stream.push(VOICE[50 * SAMPLES_PER_FRAME :])
    assert_same(again, changed[50:])


def test_ten_minutes_do_not_drift_and_memory_stays_bounded() -> None:
    stream = GENERATOR.start(mode="chunk", seed=6)
    minute = babble(60.0)
    yaw = [stream.push(minute).yaw for _ in range(3)]
    assert np.abs(yaw[-1]).mean() < 2 * np.abs(yaw[0]).mean() + 1.0
    assert len(stream._past.raw) < 1400


def test_unknown_modes_odd_hops_and_bad_voices_are_refused() -> None:
    with pytest.raises(ConfigError, match="accepted: live, chunk"):
        GENERATOR.start(mode="fast", seed=1)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="multiples of 5"):
        GENERATOR.start(mode="live", seed=1, hop_frames=4)
    stream = GENERATOR.start(mode="live", seed=1)
    with pytest.raises(ValueError, match="float32"):
        stream.push(np.zeros(10, np.int16))
    stream.finish()
    with pytest.raises(ValueError, match="over"):
        stream.push(VOICE)


def test_an_encoder_of_another_size_is_refused() -> None:
    checkpoint = tiny_checkpoint()
    encoder = tiny_encoder()
    wrong = type("Encoder", (), {"dim": encoder.dim + 1})()
    with pytest.raises(WeightsError, match="17"):
        MotionGenerator(checkpoint, wrong, TORCH_POLICY)
