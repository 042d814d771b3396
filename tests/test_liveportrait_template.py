"""Motion template files: the official pickle and the safetensors form."""

import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from liveportrait.animation import template as template_module
from liveportrait.animation import template_pickle
from liveportrait.animation.driving import drive
from liveportrait.animation.motion_template import template_of
from liveportrait.animation.options import AnimationOptions
from liveportrait.animation.template import MotionTemplate, load_template, save_template
from liveportrait.animation.template_pickle import template_from_pickle, template_to_pickle
from models.errors import TemplateError
from tests.animation_fixtures import (
    furthest,
    golden_info,
    golden_template,
    image_source,
    seeded_retargeters,
    video_source,
)
from tests.liveportrait_fixtures import GOLDEN, golden_arrays

OFFICIAL = GOLDEN / "motion_template_official_format.pkl"
ARRAYS = ("scale", "rotation", "exp", "t", "eye_ratios", "lip_ratios", "canonical")


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


def same(one: MotionTemplate, other: MotionTemplate) -> bool:
    pairs = [(getattr(one, name), getattr(other, name)) for name in ARRAYS]
    return one.fps == other.fps and all(
        (a is None and b is None) or np.array_equal(a, b) for a, b in pairs
    )


def test_the_official_pickle_is_read() -> None:
    template = load_template(OFFICIAL)
    heads = golden_arrays("net_M")
    assert (len(template), template.fps) == (2, 25.0)
    assert furthest(template.exp, heads["refined_exp"]) < 2e-5
    assert template.canonical is not None
    assert furthest(template.canonical, heads["refined_kp"]) < 2e-5
    assert template.eye_ratios is not None
    assert template.eye_ratios.shape == (2, 2)


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
    assert same(template_from_pickle(pickle.dumps(old)), replace(newest, canonical=None))
    without = replace(newest, canonical=None, eye_ratios=None, lip_ratios=None)
    assert same(template_from_pickle(pickle.dumps(animal_document())), without)


@pytest.mark.clips
@pytest.mark.parametrize("suffix", [".pkl", ".safetensors"])
def test_the_published_templates_are_read_and_drive(
    shared: Path, tmp_path: Path, suffix: str
) -> None:
    paths = sorted((shared / "data" / "templates").glob("*.pkl"))
    assert len(paths) == 12
    for path in paths:
        template = load_template(path)
        plain = pickle.loads(path.read_bytes())  # ../shared is trusted
        assert len(template) == plain["n_frames"]
        assert np.array_equal(template.exp[-1:], plain["motion"][-1]["exp"])
        assert (template.eye_ratios is None) == (template.lip_ratios is None)
        save_template(template, tmp_path / f"copy{suffix}")
        assert same(load_template(tmp_path / f"copy{suffix}"), template)
        driven = drive(image_source(), template, AnimationOptions(), seeded_retargeters())
        assert np.isfinite(driven.x_d).all()


TEMPLATES = st.builds(
    lambda frames, fps, ratios, canonical, seed: _random(frames, fps, ratios, canonical, seed),
    st.integers(1, 6),
    st.sampled_from([25.0, 30.0, 29.97, 1.0]),
    st.booleans(),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)


def _random(frames: int, fps: float, ratios: bool, canonical: bool, seed: int) -> MotionTemplate:
    rng = np.random.default_rng(seed)

    def noise(*shape: int) -> Any:
        return rng.normal(size=(frames, *shape)).astype(np.float32)

    return MotionTemplate(
        fps=fps,
        scale=noise(),
        rotation=noise(3, 3),
        exp=noise(21, 3),
        t=noise(3),
        eye_ratios=noise(2) if ratios else None,
        lip_ratios=noise(1) if ratios else None,
        canonical=noise(21, 3) if canonical else None,
    )


@settings(max_examples=40, deadline=None)
@given(template=TEMPLATES, suffix=st.sampled_from([".pkl", ".safetensors"]))
def test_what_is_saved_is_loaded(
    template: MotionTemplate, suffix: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("template") / f"motion{suffix}"
    save_template(template, path)
    assert same(load_template(path), template)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_template_of_a_driving_video_has_its_ratios_and_keypoints() -> None:
    info, landmarks = golden_info("video"), video_source().landmarks
    template = template_of(info, 30.0, landmarks)
    assert template.canonical is not None
    assert np.array_equal(template.rotation, info.rotation)
    assert template.lip_ratios is not None
    assert template.lip_ratios.shape == (12, 1)
    assert template_of(info, 30.0).eye_ratios is None


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


def safetensors_file(path: Path, drop: str = "", **metadata: str) -> Path:
    template = golden_template()
    tensors = {n: getattr(template, n) for n in ("scale", "rotation", "exp", "t") if n != drop}
    about = {"format": "visavis-motion-template", "version": "1", "fps": "25.0", **metadata}
    save_file(tensors, path, about)
    return path


@pytest.mark.parametrize(
    ("drop", "metadata", "message"),
    [
        ("", {"format": "pt"}, "is no motion template"),
        ("", {"version": "2"}, "version 2 of the motion template is not known"),
        ("", {"fps": "fast"}, "could not convert"),
        ("", {"fps": "-3"}, "frame rate is -3"),
        ("exp", {}, "lacks exp"),
    ],
)
def test_safetensors_of_another_kind_are_named(
    drop: str, metadata: dict[str, str], message: str, tmp_path: Path
) -> None:
    path = safetensors_file(tmp_path / "other.safetensors", drop, **metadata)
    with pytest.raises(TemplateError, match=message):
        load_template(path)


def test_safetensors_with_other_arrays_are_refused(tmp_path: Path) -> None:
    about = {"format": "visavis-motion-template", "version": "1", "fps": "25.0"}
    arrays = {"scale": np.ones(2), "rotation": np.ones((2, 3, 3)), "exp": np.ones((2, 21, 3))}
    path = tmp_path / "odd.safetensors"
    save_file({**arrays, "t": np.ones((3, 3))}, path, about)
    with pytest.raises(TemplateError, match="t has shape"):
        load_template(path)
    save_file({**arrays, "t": np.ones((2, 3)), "extra": np.ones(1)}, path, about)
    with pytest.raises(TemplateError, match="holds unknown extra"):
        load_template(path)


@pytest.mark.parametrize("suffix", [".pkl", ".safetensors"])
def test_damaged_and_foreign_files_are_named(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"damaged{suffix}"
    save_template(golden_template(), path)
    whole = path.read_bytes()
    jpeg = b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(200)
    for bad in (b"", whole[:-1], whole[: len(whole) // 2], whole[1:], b"hello", jpeg):
        path.write_bytes(bad)
        with pytest.raises(TemplateError, match="damaged"):
            load_template(path)


def test_missing_large_and_unknown_files_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(TemplateError, match="No such file"):
        load_template(tmp_path / "none.pkl")
    with pytest.raises(TemplateError, match=r"accepted are \.pkl and \.safetensors"):
        load_template(tmp_path / "motion.npz")
    with pytest.raises(TemplateError, match=r"accepted are \.pkl and \.safetensors"):
        save_template(golden_template(), tmp_path / "motion.npz")
    save_template(golden_template(), tmp_path / "long.pkl")
    monkeypatch.setattr(template_module, "MAX_BYTES", 1000)
    with pytest.raises(TemplateError, match="accepted up to 1000"):
        load_template(tmp_path / "long.pkl")
    monkeypatch.undo()
    monkeypatch.setattr(template_pickle, "MAX_FRAMES", 11)
    with pytest.raises(TemplateError, match="over 11 frames"):
        load_template(tmp_path / "long.pkl")


def test_nothing_that_is_no_motion_is_written(tmp_path: Path) -> None:
    path = tmp_path / "motion.pkl"
    save_template(golden_template(), path)
    before = path.read_bytes()
    hole = golden_template().exp.copy()
    hole[3, 4, 1] = np.inf
    with pytest.raises(TemplateError, match="not finite"):
        save_template(replace(golden_template(), exp=hole), path)
    assert path.read_bytes() == before


def test_who_reads_while_we_write_sees_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "motion.safetensors"
    save_template(golden_template(), path)
    (tmp_path / "open.safetensors").hardlink_to(path)  # stands for an open file
    save_template(golden_template()[:3], path)
    assert len(load_template(path)) == 3
    assert len(load_template(tmp_path / "open.safetensors")) == 12


def test_a_whole_rate_is_written_as_the_official_integer() -> None:
    template = golden_template()
    for fps, kind in ((30.0, int), (29.97, float)):
        written = pickle.loads(template_to_pickle(replace(template, fps=fps)))
        assert type(written["output_fps"]) is kind
        assert written["output_fps"] == fps


def test_templates_of_unequal_arrays_cannot_be_made() -> None:
    template = golden_template()
    with pytest.raises(ValueError, match=r"t has shape \(3, 3\), not \(12, 3\)"):
        replace(template, t=template.t[:3])
    assert len(template[2:5]) == 3
