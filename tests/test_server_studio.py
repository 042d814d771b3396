"""The studio without Gradio's page: preview, sliders, forms, benchmarks."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from liveportrait.animation.sliders import SLIDER_RANGES, SliderSettings
from liveportrait.bench.report import SEEDED_LABEL, BenchReport, BenchRow
from models.errors import ConfigError
from models.images import decode_image
from server.jobs.runner import JobFailedError
from server.studio.animate_form import job_of
from server.studio.bench_results import HEADERS, committed_results, read_result
from server.studio.own_ratios import OwnRatios
from server.studio.parts import DRIVING_CLIP
from server.studio.preview import Preview, PreviewRequest
from server.studio.sliders import SLIDERS, at_rest, lite_motion, settings_of
from tests.conftest import ROOT

PORTRAIT = ROOT / "server" / "avatars" / "p02.jpg"
OWN = OwnRatios(eyes=0.3, lips=0.1)
MOUTH_WIDTH, EYE_GAP = 80.0, 12.0


def ignore(done: int, total: int, what: str) -> None:
    del done, total, what


# preview


@pytest.fixture(scope="module")
def preview() -> Iterator[Preview]:
    running = Preview()
    yield running
    running.close()


def picture(preview: Preview, **settings: float) -> np.ndarray:
    request = PreviewRequest(PORTRAIT, "lite", SliderSettings(**settings))
    jpeg = preview.picture(request).jpeg
    return decode_image(jpeg).astype(np.int16)


def test_the_preview_follows_its_sliders(preview: Preview) -> None:
    still = picture(preview)
    assert still.shape == (512, 512, 3)
    assert np.array_equal(picture(preview), still)
    for moved in ({"lip_ratio": 0.5}, {"eye_ratio": 0.0}, {"yaw": 12.0}, {"smile": 1.0}):
        assert np.abs(picture(preview, **moved) - still).mean() > 0.1, moved


def test_a_picture_without_a_face_is_refused_by_name(preview: Preview, tmp_path: Path) -> None:
    empty = tmp_path / "empty.png"
    cv2.imwrite(str(empty), np.full((300, 300, 3), 127, np.uint8))
    with pytest.raises(JobFailedError, match="face") as caught:
        preview.picture(PreviewRequest(empty, "lite", None))
    assert caught.value.code == "no_face"


def test_the_other_engine_names_the_command_that_fetches_its_weights(preview: Preview) -> None:
    with pytest.raises(JobFailedError, match="python -m models fetch") as caught:
        preview.picture(PreviewRequest(PORTRAIT, "liveportrait", None))
    assert caught.value.code == "missing_weights"


# sliders


def test_every_official_slider_is_on_the_page_once() -> None:
    assert sorted(slider.name for slider in SLIDERS) == sorted(SLIDER_RANGES)


def test_sliders_at_rest_shut_nothing_and_turn_nothing() -> None:
    motion = lite_motion(settings_of(at_rest(OWN)), OWN, MOUTH_WIDTH, EYE_GAP)
    assert not np.any([motion.pitch, motion.yaw, motion.roll])
    assert np.allclose(motion.exp[0, 14:], 0.0)  # lids, brows, gaze
    assert np.isclose(motion.exp[0, 5, 1] - motion.exp[0, 4, 1], OWN.lips * MOUTH_WIDTH)


def test_lids_and_lips_go_where_their_ratio_says() -> None:
    shut = lite_motion(SliderSettings(eye_ratio=0.0), OWN, MOUTH_WIDTH, EYE_GAP).exp[0]
    assert np.isclose(shut[14, 1] - shut[15, 1], EYE_GAP)
    assert np.isclose(shut[16, 1] - shut[17, 1], EYE_GAP)
    wink = lite_motion(SliderSettings(wink=30.0), OWN, MOUTH_WIDTH, EYE_GAP).exp[0]
    assert np.isclose(wink[14, 1], 0.0)
    assert np.isclose(wink[16, 1] - wink[17, 1], EYE_GAP)
    closed = lite_motion(SliderSettings(lip_ratio=0.0), OWN, MOUTH_WIDTH, EYE_GAP).exp[0]
    assert np.allclose(closed[:11], 0.0)


def test_a_value_beyond_a_slider_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"yaw is 40.*-25 to 25"):
        settings_of([40.0 if slider.name == "yaw" else slider.rest for slider in SLIDERS])


# the form of the driving-video tool


def form(**changes: Any) -> dict[str, Any]:
    given = {
        "relative": False,
        "animation_region": "lip",
        "driving_multiplier": 1.5,
        "paste_back": False,
        "sound": "none",
        "max_frames": 7,
        "driving_option": "pose-friendly",
        "stitching": False,
        "normalize_lip": True,
        "eye_retargeting": True,
        "lip_retargeting": True,
        "source_video_eye_retargeting": True,
        "smooth_variance": 1e-5,
        "crop_driving": True,
        "animal": False,
        "crop_box": " 10,20,300,300 ",
        "template": True,
    }
    return given | changes


def test_every_field_reaches_the_neural_engine(tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    job = job_of(PORTRAIT, DRIVING_CLIP, out, "liveportrait", "fast", form())
    assert (job.engine, job.quality, job.out) == ("liveportrait", "fast", out)
    for name in ("relative", "animation_region", "driving_multiplier", "driving_option"):
        assert getattr(job.options, name) == form()[name]
    for name in ("stitching", "normalize_lip", "eye_retargeting", "lip_retargeting"):
        assert getattr(job.options, name) == form()[name]
    of_video = job_of(DRIVING_CLIP, DRIVING_CLIP, out, "liveportrait", "fast", form())
    assert of_video.options.source_video_eye_retargeting
    assert of_video.options.smooth_variance == 1e-5
    assert not job.options.source_video_eye_retargeting  # a photograph has no first frame
    assert (job.paste_back, job.sound, job.max_frames) == (False, "none", 7)
    assert job.crop_driving
    assert job.crop_box is not None
    assert job.crop_box.width == 300
    assert job.template_out == tmp_path / "out.safetensors"


def test_the_lite_engine_is_not_asked_for_what_it_has_not(tmp_path: Path) -> None:
    job = job_of(PORTRAIT, DRIVING_CLIP, tmp_path / "out.mp4", "lite", "quality", form())
    assert job.options.animation_region == "lip"
    assert job.options.stitching
    assert job.crop_box is None
    assert job.template_out is None


def test_a_picture_that_drives_a_picture_gives_a_picture(tmp_path: Path) -> None:
    job = job_of(PORTRAIT, PORTRAIT, tmp_path / "out.mp4", "lite", "quality", form(max_frames=0))
    assert job.out == tmp_path / "out.png"
    assert job.max_frames is None


# the benchmark's results


def test_a_written_benchmark_is_read_as_a_table(tmp_path: Path) -> None:
    report = BenchReport(
        rows=(
            BenchRow("original", "eager fp32", (2.0, 2.0), 2),
            BenchRow("half", "bf16", (0.5, 0.5), 2, psnr_db=41.26, peak_mb=100.4),
            BenchRow("streams", "copies", left_out="n/a on cpu: needs CUDA"),
        ),
        machine={"device": "Some CPU", "date": "2026-01-02"},
        weights=SEEDED_LABEL,
    )
    report.write(tmp_path / "cpu")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "bench.json").write_text("{")
    (result,) = committed_results(tmp_path)
    assert "Some CPU" in result.title
    assert [len(line) for line in result.table] == [len(HEADERS)] * 3
    assert result.table[1] == ["half", "500.0", "2", "4.00", "41.3", "100"]
    assert result.table[2][1] == "n/a on cpu: needs CUDA"
    assert result.chart == str(tmp_path / "cpu" / "bench.png")
    (tmp_path / "cpu" / "bench.json").write_text(json.dumps({"rows": []}))
    assert read_result(tmp_path / "cpu") is None
