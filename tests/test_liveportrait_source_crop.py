"""The official crop: matrices, pixels and the networks' picture."""

import math

import numpy as np
import pytest
import torch

from liveportrait.runtime.decoder import picture_bytes
from liveportrait.source.crop import (
    ANIMAL_SOURCE,
    HUMAN_SOURCE,
    LANDMARK_INPUT,
    CropPreset,
    FaceCrop,
    crop_image,
    crop_square,
    transform_points,
)
from liveportrait.source.driving_crop import driving_input
from models.errors import ConfigError
from models.shapes import AnyArray, Image
from tests.liveportrait_fixtures import golden_arrays, golden_image
from tests.test_liveportrait_crop_box import CROP, LANDMARKS, SETS

PRESETS = {
    "src": HUMAN_SOURCE,
    "src_norot": CropPreset(rotate=False),
    "src_vx": HUMAN_SOURCE,  # officially read, never used
    "lmk224": LANDMARK_INPUT,
    "alt": CropPreset(512, 1.8, 0.05),
}


def off(picture: AnyArray, expected: AnyArray) -> int:
    return int(np.abs(picture.astype(int) - expected.astype(int)).max())


@pytest.fixture(scope="module")
def photo() -> Image:
    return golden_image("photo_480x360")


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", SETS)
def test_crops_are_the_official_ones(photo: Image, name: str, preset: str) -> None:
    crop = crop_image(photo, LANDMARKS[name], PRESETS[preset])
    key = f"{name}/{preset}_"
    np.testing.assert_allclose(crop.to_crop, CROP[key + "M_o2c"], atol=5e-4)
    np.testing.assert_allclose(crop.to_photo, CROP[key + "M_c2o"], atol=5e-4)
    assert crop.landmarks_crop is not None
    np.testing.assert_allclose(crop.landmarks_crop, CROP[key + "pt_crop"], atol=5e-4)
    pixels = crop.image.astype(np.float64)
    stats = (pixels.mean(), pixels.std(), np.abs(pixels).sum())
    np.testing.assert_allclose(stats, CROP[key + "img_stats"], rtol=5e-4)
    if preset == "src":
        assert off(crop.image[::8, ::8], CROP[key + "img_sub"]) <= 4


def test_whole_crop_and_the_networks_picture(photo: Image) -> None:
    crop = crop_image(photo, LANDMARKS["pt203_up"], HUMAN_SOURCE)
    assert crop.image.shape == (512, 512, 3)
    assert off(crop.image, golden_image("crop_pt203_up_512")) <= 4
    assert off(crop.image_256, golden_image("crop_pt203_up_256_area")) <= 3


def test_prepare_source_is_a_bilinear_resize() -> None:
    geometry = golden_arrays("geometry")
    small = driving_input(geometry["prepare_source_in"]).astype(np.float32) / 255
    tensor = small.transpose(2, 0, 1)[None, :, ::4, ::4]
    np.testing.assert_allclose(tensor, geometry["prepare_source_out_sub"], atol=1.01 / 255)


def test_parse_output_cuts_off_and_does_not_round() -> None:
    geometry = golden_arrays("geometry")
    pictures = picture_bytes(torch.from_numpy(geometry["parse_output_in"]))
    np.testing.assert_array_equal(pictures, geometry["parse_output_out"])


def test_the_animal_preset_has_the_human_numbers() -> None:
    assert ANIMAL_SOURCE == HUMAN_SOURCE == CropPreset(512, 2.3, -0.125, True)


def middle_of(crop: FaceCrop) -> AnyArray:
    middle: AnyArray = transform_points(np.array([[256, 256]], np.float32), crop.to_photo)[0]
    return middle


def test_a_named_part_becomes_a_square_around_its_middle(photo: Image) -> None:
    crop = crop_square(photo, 100, 50, 200, 120)
    np.testing.assert_allclose(middle_of(crop), (200, 110), atol=1e-3)
    corner = transform_points(np.zeros((1, 2), np.float32), crop.to_photo)[0]
    np.testing.assert_allclose(corner, (100, 10), atol=1e-3)
    assert crop.landmarks_crop is None
    assert crop.image_256.shape == (256, 256, 3)


def test_a_named_part_is_turned_clockwise(photo: Image) -> None:
    crop = crop_square(photo, 100, 50, 200, 200, angle_deg=90)
    top = transform_points(np.array([[256, 0]], np.float32), crop.to_photo)[0]
    np.testing.assert_allclose(top, (300, 150), atol=1e-3)  # its upper edge points to the right
    turned = crop_square(photo, 100, 50, 200, 200)
    again = np.rot90(turned.image)  # counter-clockwise: what lay on the right lies on top
    assert np.abs(crop.image[8:-8, 8:-8].astype(int) - again[8:-8, 8:-8]).mean() < 3


def test_black_beyond_the_picture(photo: Image) -> None:
    crop = crop_square(photo, -300, -300, 400, 400)
    assert not crop.image[:300, :300].any()
    assert crop.image[420:, 420:].any()


@pytest.mark.parametrize(
    "part", [(0, 0, 0, 10), (0, 0, 10, 1), (480, 0, 10, 10), (-20, 5, 20, 20), (5, 400, 9, 9)]
)
def test_parts_outside_of_the_picture_are_refused(photo: Image, part: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="480x360"):
        crop_square(photo, *part)


@pytest.mark.parametrize(
    "wrong", [{"size_px": 8}, {"scale": 0.5}, {"vy_ratio": 2.0}, {"scale": math.nan}]
)
def test_presets_that_hold_nothing_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        CropPreset(**wrong)  # type: ignore[arg-type]
