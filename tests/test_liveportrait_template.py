"""Motion template files: the official pickle and the safetensors form."""

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
from liveportrait.animation.driving import drive
from liveportrait.animation.motion_template import template_of
from liveportrait.animation.options import AnimationOptions
from liveportrait.animation.template import MotionTemplate, load_template, save_template
from models.errors import TemplateError
from tests.animation_fixtures import (
    furthest,
    golden_info,
    golden_template,
    image_source,
    same_template,
    seeded_retargeters,
    video_source,
)
from tests.liveportrait_fixtures import GOLDEN, golden_arrays

OFFICIAL = GOLDEN / "motion_template_official_format.pkl"


def test_the_official_pickle_is_read() -> None:
    template = load_template(OFFICIAL)
    heads = golden_arrays("net_M")
    assert (len(template), template.fps) == (2, 25.0)
    assert furthest(template.exp, heads["refined_exp"]) < 2e-5
    assert template.canonical is not None
    assert furthest(template.canonical, heads["refined_kp"]) < 2e-5
    assert template.eye_ratios is not None
    assert template.eye_ratios.shape == (2, 2)


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
        assert same_template(load_template(tmp_path / f"copy{suffix}"), template)
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
    assert same_template(load_template(path), template)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_template_of_a_driving_video_has_its_ratios_and_keypoints() -> None:
    info, landmarks = golden_info("video"), video_source().landmarks
    template = template_of(info, 30.0, landmarks)
    assert template.canonical is not None
    assert np.array_equal(template.rotation, info.rotation)
    assert template.lip_ratios is not None
    assert template.lip_ratios.shape == (12, 1)
    assert template_of(info, 30.0).eye_ratios is None


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


def test_templates_of_unequal_arrays_cannot_be_made() -> None:
    template = golden_template()
    with pytest.raises(ValueError, match=r"t has shape \(3, 3\), not \(12, 3\)"):
        replace(template, t=template.t[:3])
    assert len(template[2:5]) == 3
