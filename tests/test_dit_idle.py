"""Movement without a voice, and what reaches the picture from the network."""

import numpy as np
import pytest

from dit.compose import (
    GATE_HISTORY_FRAMES,
    MotionControls,
    compose,
    ease_mouth,
    voice_gate,
)
from dit.idle import BLINK_CLOSURE, UPPER_LID_UNITS, blink_closure, gaze_shift, idle_pose
from dit.layout import FACE_PARTS
from models.motion import Motion, rest
from models.shapes import FloatArray, IntArray
from models.timing import FPS

PARTS = FACE_PARTS["lite"]
TEN_MINUTES: IntArray = np.arange(10 * 60 * FPS, dtype=np.int64)


def blink_starts(frames: IntArray, seed: int) -> IntArray:
    shut = blink_closure(frames, seed) > 0
    return np.flatnonzero(shut[1:] & ~shut[:-1]).astype(np.int64)


@pytest.mark.parametrize("seed", [0, 1, 2**40])
def test_blinks_come_every_two_to_six_seconds_and_last_a_quarter_of_one(seed: int) -> None:
    starts = blink_starts(TEN_MINUTES, seed)
    pauses = np.diff(starts) / FPS
    assert 2.0 <= pauses.min() <= pauses.max() <= 6.0
    assert pauses.std() > 0.5
    closure = blink_closure(TEN_MINUTES, seed)
    assert closure.max() == 1.0
    assert (closure > 0).sum() == pytest.approx(len(BLINK_CLOSURE) * (len(starts) + 1), abs=14)


def test_ten_minutes_of_idling_stay_small_and_never_stand_still() -> None:
    pose = idle_pose(TEN_MINUTES, 3)
    for values, most in ((pose.pitch, 1.5), (pose.yaw, 1.6), (pose.roll, 0.8), (pose.t, 7.0)):
        assert np.abs(values).max() < most
    minutes = pose.yaw.reshape(10, -1)
    assert minutes.std(1).min() > 0.1
    assert np.abs(np.diff(pose.yaw)).max() < 0.1
    assert np.abs(gaze_shift(TEN_MINUTES, 3)).max() < 2.0


def test_idling_depends_on_frame_numbers_and_seed_alone() -> None:
    part = slice(300, 420)
    np.testing.assert_array_equal(
        blink_closure(TEN_MINUTES[part], 5), blink_closure(TEN_MINUTES, 5)[part]
    )
    np.testing.assert_array_equal(
        gaze_shift(TEN_MINUTES[part], 5), gaze_shift(TEN_MINUTES, 5)[part]
    )
    assert (blink_starts(TEN_MINUTES, 5)[:20] != blink_starts(TEN_MINUTES, 6)[:20]).any()


def speech_level(speech_db: float, noise_db: float) -> FloatArray:
    level = np.full(GATE_HISTORY_FRAMES + 100, noise_db, np.float32)
    level[-60:-30] = speech_db
    return level


@pytest.mark.parametrize(("speech_db", "noise_db"), [(-20, -80), (-38, -70), (-15, -52)])
def test_the_gate_opens_for_speech_and_shuts_in_a_noisy_room(
    speech_db: float, noise_db: float
) -> None:
    gate = voice_gate(speech_level(speech_db, noise_db))
    assert gate[-55:-35].min() == 1.0
    assert gate[-90:-70].max() == 0.0
    assert gate[-20:-10].max() == 0.0


def test_the_gate_opens_before_the_sound() -> None:
    gate = voice_gate(speech_level(-20, -80))
    assert gate[-62] > 0.9


def talking(frames: int) -> Motion:
    motion = rest(frames)
    motion.exp[:] = 3.0
    motion.yaw[:] = 4.0
    return motion


def test_a_shut_gate_shuts_the_mouth_and_leaves_the_head_alone() -> None:
    frames = np.arange(50)
    spoken = compose(talking(50), frames, np.ones(50, np.float32), MotionControls(), PARTS, 1)
    silent = compose(talking(50), frames, np.zeros(50, np.float32), MotionControls(), PARTS, 1)
    mouth = list(PARTS.mouth)
    assert (spoken.exp[:, mouth] == 3.0).all()
    assert (silent.exp[:, mouth] == 0.0).all()
    np.testing.assert_array_equal(spoken.yaw, silent.yaw)


def test_controls_scale_what_they_name() -> None:
    frames = np.arange(400)
    gate = np.zeros(400, np.float32)
    still = compose(rest(400), frames, gate, MotionControls(blink=0, gaze=0), PARTS, 1)
    assert (still.exp == 0.0).all()
    blinking = compose(rest(400), frames, gate, MotionControls(blink=3, gaze=0), PARTS, 1)
    assert blinking.exp[:, 14, 1].max() == pytest.approx(UPPER_LID_UNITS)
    double = compose(rest(400), frames, gate, MotionControls(head=2), PARTS, 1)
    np.testing.assert_allclose(double.yaw, 2 * still.yaw, rtol=1e-6)


def test_easing_starts_where_it_was_and_arrives_in_five_frames() -> None:
    held = talking(1)
    eased = ease_mouth(rest(8), held, 0, PARTS)
    lips = eased.exp[:, 4, 1]
    assert 2.0 < lips[0] < 3.0
    assert (np.diff(lips[:5]) < 0).all()
    assert (lips[4:] == 0.0).all()
    later = ease_mouth(rest(5), held, 3, PARTS)
    np.testing.assert_allclose(later.exp, eased.exp[3:])
