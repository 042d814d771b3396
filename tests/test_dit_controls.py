"""Controls ease in, are found again after a rewind, and refuse what makes no sense."""

import numpy as np
import pytest

from dit.controls import EASE_CHANGE_FRAMES, ControlTimeline, MotionControls
from dit.moods import MOODS, mood_expression, moods_of
from models.errors import ConfigError

FRAMES = np.arange(200)


def test_a_change_eases_in_from_its_frame_on() -> None:
    timeline = ControlTimeline(MotionControls())
    timeline.change(50, MotionControls(head=0.0, mood="happy", mood_strength=0.5))
    levels = timeline.levels(FRAMES)
    assert (levels.head[:50] == 1.0).all()
    assert (levels.head[50 + EASE_CHANGE_FRAMES :] == 0.0).all()
    assert np.abs(np.diff(levels.head)).max() < 2.0 / EASE_CHANGE_FRAMES
    place = list(MOODS).index("happy")
    assert levels.moods[-1, place] == 0.5
    assert np.abs(np.diff(levels.moods[:, place])).max() < 1.0 / EASE_CHANGE_FRAMES
    assert (levels.blink == 1.0).all()


def test_a_change_of_mind_halfway_does_not_jump() -> None:
    timeline = ControlTimeline(MotionControls())
    timeline.change(50, MotionControls(mood="sad"))
    timeline.change(60, MotionControls(mood="happy"))
    levels = timeline.levels(FRAMES)
    assert np.abs(np.diff(levels.moods, axis=0)).max() < 2.0 / EASE_CHANGE_FRAMES
    assert levels.moods[-1].tolist() == [1.0 if name == "happy" else 0.0 for name in MOODS]


def test_what_is_asked_for_before_the_first_frame_holds_from_it_on() -> None:
    timeline = ControlTimeline(MotionControls())
    timeline.change(0, MotionControls(head=0.3))
    assert timeline.levels(FRAMES).head == pytest.approx(0.3)
    assert timeline.latest.head == 0.3


def test_earlier_frames_keep_their_controls_and_a_later_wish_is_replaced() -> None:
    timeline = ControlTimeline(MotionControls())
    timeline.change(50, MotionControls(head=0.0))
    timeline.change(120, MotionControls(head=2.0))
    before = timeline.levels(FRAMES[:80]).head
    timeline.change(80, MotionControls(head=1.0))  # the stream was rewound to 80
    np.testing.assert_array_equal(timeline.levels(FRAMES[:80]).head, before)
    assert timeline.levels(FRAMES).head[-1] == 1.0
    timeline.forget(150)
    assert timeline.levels(np.arange(150, 200)).head == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"head": -1.0}, r"motion\.head"),
        ({"blink": float("nan")}, r"motion\.blink"),
        ({"mood_strength": -0.1}, r"motion\.mood_strength"),
        ({"mood": "hungry"}, "accepted: neutral, happy"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, float], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        MotionControls(**wrong)  # type: ignore[arg-type]


def test_no_mood_parts_the_lips_and_each_moves_the_face() -> None:
    weights = np.eye(len(MOODS), dtype=np.float32)
    faces = mood_expression(weights)
    assert (faces[:, 5] == faces[:, 4]).all()  # the inner lips' middles
    assert (np.abs(faces[:, :, :2]).max((1, 2)) > 1.0).all()
    mirrored = faces * np.array((-1, 1, 1), np.float32)
    for one, other in ((0, 1), (6, 7), (8, 9), (14, 16), (18, 19)):
        np.testing.assert_array_equal(mirrored[:, one], faces[:, other])
    assert moods_of("lite") == ("neutral", *MOODS)
    assert moods_of("liveportrait") == ("neutral",)
