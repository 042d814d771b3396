"""The official pickle of a motion template: its layout, older layouts, and what is no template."""

import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from liveportrait.animation import template_pickle
from liveportrait.animation.template import load_template, save_template
from liveportrait.animation.template_pickle import template_from_pickle, template_to_pickle
from models.errors import TemplateError
from tests.animation_fixtures import furthest, golden_template, same_template
from tests.liveportrait_fixtures import GOLDEN

OFFICIAL = GOLDEN / "motion_template_official_format.pkl"


def layout(value: Any) -> Any:
    """Keys, shapes and types of what is in a pickle."""
    if isinstance(value, dict):
        return {key: layout(item) for key, item in value.items()}
    if isinstance(value, list):
        return [layout(item) for item in value]
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{value.shape}"
    return type(value).__name__


def official_document() -> dict[str, Any]:
    """The golden pickle, by Python's own loader: it is ours and trusted."""
    document: dict[str, Any] = pickle.loads(OFFICIAL.read_bytes())
    return document


def animal_document() -> dict[str, Any]:
    document = official_document()
    del document["c_eyes_lst"], document["c_lip_lst"]
    for frame in document["motion"]:
        del frame["kp"], frame["x_s"]
    return document


def test_what_we_write_has_the_official_layout(tmp_path: Path) -> None:
    save_template(load_template(OFFICIAL), tmp_path / "again.pkl")
    written = pickle.loads((tmp_path / "again.pkl").read_bytes())
    official = official_document()
    assert layout(written) == layout(official)
    for ours, theirs in zip(written["motion"], official["motion"], strict=True):
        for key, value in theirs.items():
            assert furthest(ours[key], value) < 1e-6
    assert np.array_equal(written["c_lip_lst"], official["c_lip_lst"])


def test_the_three_stated_formats_are_the_ones_read() -> None:
    formats = json.loads((GOLDEN / "motion_template_format.json").read_text(encoding="utf-8"))
    human, older, animal = formats.values()
    current = official_document()
    assert set(human) == set(current)
    assert set(human["motion"][1]) == set(current["motion"][0])
    assert set(animal) == set(animal_document())
    old = animal_document()
    old["c_d_eyes_lst"], old["c_d_lip_lst"] = current["c_eyes_lst"], current["c_lip_lst"]
    for frame in old["motion"]:
        frame["R_d"] = frame.pop("R")
    assert set(older) == set(old)
    assert set(older["motion"][1]) == set(old["motion"][0])
    newest = template_from_pickle(pickle.dumps(current))
    assert same_template(template_from_pickle(pickle.dumps(old)), replace(newest, canonical=None))
    without = replace(newest, canonical=None, eye_ratios=None, lip_ratios=None)
    assert same_template(template_from_pickle(pickle.dumps(animal_document())), without)


def test_a_whole_rate_is_written_as_the_official_integer() -> None:
    template = golden_template()
    for fps, kind in ((30.0, int), (29.97, float)):
        written = pickle.loads(template_to_pickle(replace(template, fps=fps)))
        assert type(written["output_fps"]) is kind
        assert written["output_fps"] == fps


def test_too_many_frames_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template_pickle, "MAX_FRAMES", 11)
    with pytest.raises(TemplateError, match="over 11 frames"):
        template_from_pickle(template_to_pickle(golden_template()))


def frame_without(key: str) -> dict[str, Any]:
    document = official_document()
    del document["motion"][1][key]
    return document


def changed(**parts: Any) -> dict[str, Any]:
    return {**official_document(), **parts}


def with_frame(key: str, value: Any) -> dict[str, Any]:
    document = official_document()
    document["motion"][1][key] = value
    return document


NAN_EXP = np.full((1, 21, 3), np.nan, np.float32)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([1, 2, 3], "no list 'motion'"),
        ({"weights": np.zeros(3)}, "no list 'motion'"),
        (changed(motion=[]), "no frames"),
        (changed(motion=[1, 2]), "no dicts"),
        (changed(n_frames=3), "states 3 frames, holds 2"),
        (changed(n_frames="two"), "number of frames is no number"),
        (changed(output_fps=[25]), "frame rate is no number"),
        (changed(output_fps=0), "frame rate is 0"),
        (changed(output_fps=float("nan")), "frame rate is nan"),
        (changed(c_eyes_lst=[]), "c_eyes_lst is no list of 2"),
        (changed(c_lip_lst=[1.0, 2.0]), "c_lip_lst holds something that is no array"),
        (changed(c_lip_lst=[np.zeros((1, 2)), np.zeros((1, 2))]), "'c_lip_lst' of frame 0"),
        (frame_without("exp"), "frame 1 of the motion template has no array 'exp'"),
        (frame_without("kp"), "frame 1 of the motion template has no array 'kp'"),
        (with_frame("t", [0.0, 0.0, 0.0]), "has no array 't'"),
        (with_frame("exp", np.zeros((1, 20, 3))), r"'exp' of frame 1 has shape \(1, 20, 3\)"),
        (with_frame("exp", np.zeros((1, 3, 21))), r"'exp' of frame 1 has shape \(1, 3, 21\)"),
        (with_frame("scale", np.zeros((1, 2))), "'scale' of frame 1"),
        (with_frame("scale", np.zeros((1, 1))), "scale of 0"),
        (with_frame("exp", NAN_EXP), "exp holds values that are not finite"),
        (with_frame("t", np.full((1, 3), 1e300)), "t holds values that are not finite"),
    ],
)
def test_pickles_that_hold_no_motion_are_named(document: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "other.pkl"
    path.write_bytes(pickle.dumps(document))
    with pytest.raises(TemplateError, match=message) as caught:
        load_template(path)
    assert "other.pkl" in str(caught.value)
