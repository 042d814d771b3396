"""Paste-back against the official pictures, and by several threads at once."""

from collections.abc import Iterator
from threading import active_count

import numpy as np
import pytest

from liveportrait.source.crop import crop_image
from liveportrait.source.paste_back import (
    PasteBackPool,
    PasteJob,
    PasteMask,
    mask_template,
    paste_back,
    prepare_mask,
)
from models.errors import ConfigError, MissingWeightsError
from models.shapes import FloatArray, Image
from models.weights import WEIGHTS_DIR
from tests.liveportrait_fixtures import golden_arrays, golden_image

SIZE = (480, 360)
GOLDEN_PASTE = golden_arrays("paste_back")
SETS = ("pt203_up", "pt203_roll", "pt203_edge")


def template(name: str) -> Image:
    file = {"synthetic": "paste_mask_synthetic_512", "official": "mask_template_official_512"}
    return np.ascontiguousarray(golden_image(file[name])[..., 0])


@pytest.fixture(scope="module")
def photo() -> Image:
    return golden_image("photo_480x360")


@pytest.fixture(scope="module")
def render() -> Image:
    return golden_image("paste_render_512")


def to_photo(name: str) -> FloatArray:
    return GOLDEN_PASTE[f"official/{name}/M_c2o"]


def test_the_shipped_mask_is_the_official_one() -> None:
    np.testing.assert_array_equal(mask_template(WEIGHTS_DIR), template("official"))


def test_a_missing_mask_is_named(tmp_path: object) -> None:
    from pathlib import Path

    with pytest.raises(MissingWeightsError, match=r"mask_template\.png"):
        mask_template(Path(str(tmp_path)))


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("mask_name", ["synthetic", "official"])
def test_masks_and_pictures_are_the_official_ones(
    photo: Image, render: Image, mask_name: str, name: str
) -> None:
    key = f"{mask_name}/{name}/"
    matrix = GOLDEN_PASTE[key + "M_c2o"]
    mask = prepare_mask(matrix, SIZE, template(mask_name))
    levels = np.rint(mask.whole() * 255).astype(int)
    # exact with OpenCV 4.10; OpenCV 5 rounds the same fractions another way
    apart = np.abs(levels - GOLDEN_PASTE[key + "mask_u8"])
    assert apart.max() <= 1
    assert (apart > 0).mean() < 0.03
    result = paste_back(render, matrix, photo, mask)
    pixels = result.astype(np.float64)
    stats = (pixels.mean(), pixels.std(), pixels.sum())
    np.testing.assert_allclose(stats, GOLDEN_PASTE[key + "result_stats"], rtol=2e-4)
    if name != "pt203_edge":
        expected = golden_image(f"paste_{mask_name}_{name}").astype(int)
        assert np.abs(result - expected).max() <= 3


def test_an_animated_frame_is_put_back_as_by_the_whole_official_run(photo: Image) -> None:
    crop = crop_image(photo, golden_arrays("landmarks")["pt203_up"])
    mask = prepare_mask(crop.to_photo, SIZE)
    result = paste_back(golden_image("e2e_frame1_render_512"), crop.to_photo, photo, mask)
    apart = np.abs(result - golden_image("e2e_frame1_pasted").astype(int))
    # untrained networks draw noise, neighbours 90 levels apart, and OpenCV 4 places samples to a
    # 32nd of a pixel: more room than for pictures
    assert apart.max() <= 12
    assert apart.mean() < 1.5


def test_blending_in_the_masks_box_equals_blending_everywhere(photo: Image, render: Image) -> None:
    import cv2

    for name in SETS:
        matrix = to_photo(name)
        mask = prepare_mask(matrix, SIZE)
        assert mask.share.size < SIZE[0] * SIZE[1]
        share = mask.whole()[..., None]
        warped = cv2.warpAffine(render, matrix[:2], SIZE)
        whole = np.clip(share * warped + (1 - share) * photo, 0, 255).astype(np.uint8)
        np.testing.assert_array_equal(paste_back(render, matrix, photo, mask), whole)


def test_a_crop_beside_the_photograph_changes_nothing(photo: Image, render: Image) -> None:
    beside = np.array([[1, 0, 2000], [0, 1, 0], [0, 0, 1]], np.float32)
    mask = prepare_mask(beside, SIZE)
    result = paste_back(render, beside, photo, mask)
    np.testing.assert_array_equal(result, photo)
    assert result is not photo


def test_a_mask_for_another_photograph_is_refused(photo: Image, render: Image) -> None:
    mask = prepare_mask(to_photo("pt203_up"), (300, 300))
    with pytest.raises(ConfigError, match="300"):
        paste_back(render, to_photo("pt203_up"), photo, mask)


def jobs(photo: Image, render: Image, count: int) -> Iterator[PasteJob]:
    """Every second job brings its mask; every frame is another."""
    for index in range(count):
        matrix = to_photo(SETS[index % 3])
        mask = prepare_mask(matrix, SIZE) if index % 2 else None
        yield PasteJob(np.roll(render, 7 * index, axis=1), matrix, photo, mask)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_parallel_is_serial_byte_for_byte(photo: Image, render: Image, workers: int) -> None:
    parallel = list(PasteBackPool(workers).run(jobs(photo, render, 12)))
    serial = [
        paste_back(job.frame, job.to_photo, job.photo, prepare_mask(job.to_photo, SIZE))
        for job in jobs(photo, render, 12)
    ]
    assert len(parallel) == 12
    for one, other in zip(parallel, serial, strict=True):
        np.testing.assert_array_equal(one, other)


def test_jobs_are_taken_only_as_far_ahead_as_there_is_room(photo: Image, render: Image) -> None:
    taken = 0

    def counted() -> Iterator[PasteJob]:
        nonlocal taken
        for job in jobs(photo, render, 40):
            taken += 1
            yield job

    threads = active_count()
    results = PasteBackPool(2).run(counted())
    for done in range(1, 6):
        next(results)
        assert taken <= done + 2 * 2
    results.close()  # type: ignore[attr-defined]
    assert taken < 12
    assert active_count() <= threads


def test_a_failing_job_is_raised_after_the_jobs_before_it(photo: Image, render: Image) -> None:
    wrong = PasteMask((1, 1), 0, 0, np.zeros((1, 1, 1), np.float32))
    good = list(jobs(photo, render, 3))
    bad = PasteJob(render, to_photo("pt203_up"), photo, wrong)
    results = PasteBackPool(2).run([*good, bad, *good])
    for _ in good:
        next(results)
    with pytest.raises(ConfigError, match="mask"):
        next(results)


@pytest.mark.parametrize("workers", [0, 65])
def test_a_number_of_workers_that_is_none_is_refused(workers: int) -> None:
    with pytest.raises(ConfigError, match="workers"):
        PasteBackPool(workers)
