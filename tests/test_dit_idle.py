"""Movement without a voice, and what reaches the picture from the network."""

import numpy as np
import pytest

from dit.blinks import LOOK_BACK_FRAMES, blink_clock, first_clock
from dit.compose import GATE_HISTORY_FRAMES, compose, ease_mouth, press_lips, voice_gate
from dit.controls import ControlTimeline, MotionControls
from dit.idle import UPPER_LID_UNITS, gaze_shift, idle_pose
from dit.layout import FACE_PARTS, FaceParts
from models.motion import Motion, rest
from models.shapes import FloatArray, IntArray
from models.timing import FPS

PARTS = FACE_PARTS["lite"]
TEN_MINUTES: IntArray = np.arange(10 * 60 * FPS, dtype=np.int64)


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
        gaze_shift(TEN_MINUTES[part], 5), gaze_shift(TEN_MINUTES, 5)[part]
    )
    assert (gaze_shift(TEN_MINUTES, 5) != gaze_shift(TEN_MINUTES, 6)).any()


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


def composed(
    spoken: Motion, gate: float, controls: MotionControls, parts: FaceParts = PARTS
) -> Motion:
    """``spoken`` as shown, with the mouth gate held at one value."""
    frames = np.arange(len(spoken))
    levels = ControlTimeline(controls).levels(frames)
    gates = np.full(len(spoken), gate, np.float32)
    clock = blink_clock(first_clock(1), gates, levels.blink)
    clock = np.concatenate([np.full(LOOK_BACK_FRAMES, clock[0]), clock])
    return compose(spoken, frames, gates, levels, clock, parts, 1)


def test_a_shut_gate_shuts_the_mouth_and_leaves_the_head_alone() -> None:
    spoken = composed(talking(50), 1.0, MotionControls())
    silent = composed(talking(50), 0.0, MotionControls())
    mouth = list(PARTS.mouth)
    assert (spoken.exp[:, mouth] == 3.0).all()
    assert (silent.exp[:, mouth] == 0.0).all()
    np.testing.assert_array_equal(spoken.yaw, silent.yaw)


def test_each_control_moves_what_it_names_and_nothing_else() -> None:
    usual = composed(talking(800), 1.0, MotionControls())
    mouth, brows, lids = (list(part) for part in (PARTS.mouth, PARTS.brows, PARTS.lids))
    head = composed(talking(800), 1.0, MotionControls(head=2.0))
    np.testing.assert_allclose(head.yaw, 2 * usual.yaw, rtol=1e-5)
    np.testing.assert_array_equal(head.exp, usual.exp)
    mild = composed(talking(800), 1.0, MotionControls(expression=0.5))
    np.testing.assert_allclose(mild.exp[:, mouth + brows], 0.5 * usual.exp[:, mouth + brows])
    np.testing.assert_array_equal(mild.yaw, usual.yaw)
    straight = composed(talking(800), 1.0, MotionControls(gaze=0.0))
    assert np.abs(usual.exp[:, PARTS.irises]).max() > 0.5
    assert (straight.exp[:, PARTS.irises] == 0.0).all()
    awake = composed(rest(800), 0.0, MotionControls(blink=0.0, gaze=0.0))
    assert (awake.exp == 0.0).all()
    blinking = composed(rest(800), 0.0, MotionControls(gaze=0.0))
    assert blinking.exp[:, lids[0], 1].max() > 0.95 * UPPER_LID_UNITS


def test_eyes_that_a_mood_opens_wide_shut_all_the_same() -> None:
    controls = MotionControls(mood="surprised", gaze=0.0)
    surprised = composed(rest(800), 0.0, controls).exp[:, PARTS.lids[0], 1]
    assert surprised.min() < -1.0
    assert surprised.max() > 0.95 * UPPER_LID_UNITS


def test_a_face_without_explicit_points_wears_no_mood() -> None:
    implicit = FACE_PARTS["liveportrait"]
    happy = composed(talking(50), 1.0, MotionControls(mood="happy"), implicit)
    usual = composed(talking(50), 1.0, MotionControls(), implicit)
    np.testing.assert_array_equal(happy.exp, usual.exp)


def test_lips_nearly_shut_are_pressed_together_and_open_ones_left_alone() -> None:
    exp = np.zeros((4, 21, 3), np.float32)
    exp[:, 5, 1] = (0.0, 1.0, 3.0, 8.0)  # the lower inner lip: the gap
    pressed = press_lips(exp, 2.0)
    gap = pressed[:, 5, 1] - pressed[:, 4, 1]
    np.testing.assert_allclose(gap, (0.0, 0.0, 1.75, 8.0), atol=1e-5)
    np.testing.assert_array_equal(pressed[3], exp[3])
    np.testing.assert_array_equal(press_lips(exp, 0.0), exp)


def test_easing_starts_where_it_was_and_arrives_in_five_frames() -> None:
    held = talking(1)
    eased = ease_mouth(rest(8), held, 0, PARTS)
    lips = eased.exp[:, 4, 1]
    assert 2.0 < lips[0] < 3.0
    assert (np.diff(lips[:5]) < 0).all()
    assert (lips[4:] == 0.0).all()
    later = ease_mouth(rest(5), held, 3, PARTS)
    np.testing.assert_allclose(later.exp, eased.exp[3:])
