"""Mattes, colours and backgrounds: on drawn discs, whose truth is known, and on a portrait."""

import cv2
import numpy as np
import pytest

from liveportrait.background.cutout import cut_out
from liveportrait.background.matte import foreground_colours, person_matte
from liveportrait.background.replacement import background_pixels
from liveportrait.background.segmentation import PersonSegmenter
from liveportrait.output import (
    BlurBackground,
    ColourBackground,
    OutputError,
    PictureBackground,
)
from models.errors import MissingWeightsError
from models.images import decode_image
from models.shapes import FloatArray, Image
from models.weights import WEIGHTS_DIR
from tests.conftest import ROOT

SIDE = 240
MIDDLE = (SIDE / 2, SIDE / 2)
PERSON = np.array([200, 40, 40], np.float32)
WALL = np.array([60, 90, 200], np.float32)


def distance_from(x: float, y: float) -> FloatArray:
    row, column = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    return np.asarray(np.hypot(column - x, row - y), np.float32)


def disc(radius: float, softness: float = 1.0) -> FloatArray:
    """How much of each pixel a disc in the middle covers."""
    share: FloatArray = np.clip((radius - distance_from(*MIDDLE)) / softness + 0.5, 0, 1)
    return share


def mixed(share: FloatArray) -> Image:
    picture = share[..., None] * PERSON + (1 - share[..., None]) * WALL
    return np.round(picture).astype(np.uint8)


def test_the_matte_moves_from_a_rough_mask_to_the_pictures_own_edge() -> None:
    truth = disc(70)
    few = cv2.resize(truth, (SIDE // 4, SIDE // 4), interpolation=cv2.INTER_AREA).round()
    rough = cv2.resize(few, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)
    matte = person_matte(mixed(truth), rough, MIDDLE)
    assert np.abs(matte - truth).mean() < 0.5 * np.abs(rough - truth).mean()
    assert (matte[truth == 1] > 0.6).all()
    assert (matte[disc(60) == 1] == 1).all()
    assert (matte[disc(85) == 0] == 0).all()


def test_another_person_and_a_hole_in_this_one_are_seen_for_what_they_are() -> None:
    truth = disc(70)
    other = (distance_from(215, 20) < 18).astype(np.float32)
    hole = (distance_from(120, 130) < 4).astype(np.float32)
    likely = np.clip(truth + other - hole, 0, 1)
    matte = person_matte(mixed(truth), likely, MIDDLE)
    assert not matte[other > 0].any()
    assert (matte[hole > 0] == 1).all()
    elsewhere = person_matte(mixed(truth), likely, (215, 20))
    assert elsewhere[20, 215] == 1
    assert not elsewhere[truth == 1].any()


def test_without_a_person_all_is_background() -> None:
    assert not person_matte(mixed(disc(70)), np.zeros((SIDE, SIDE), np.float32), MIDDLE).any()


def test_the_persons_colours_lose_the_light_of_the_old_background() -> None:
    share = disc(70, softness=12)
    picture = mixed(share)
    colours = foreground_colours(picture, share)
    edge = (share > 0.3) & (share < 0.9)
    before = np.abs(picture[edge] - PERSON).mean()
    assert np.abs(colours[edge] - PERSON).mean() < 0.25 * before
    np.testing.assert_array_equal(colours[share == 1], picture[share == 1])


def test_out_of_focus_shows_nothing_of_the_person() -> None:
    share = disc(70)
    for strength in (0.0, 1.0):
        blurred = background_pixels(BlurBackground(strength), mixed(share), share)
        assert np.abs(blurred - WALL).max() <= 2


def test_out_of_focus_gets_softer_with_its_strength() -> None:
    stripes = np.zeros((SIDE, SIDE, 3), np.uint8)
    stripes[:, ::16] = stripes[:, 1::16] = 255
    nobody = np.zeros((SIDE, SIDE), np.float32)
    contrast = [
        float(background_pixels(BlurBackground(s), stripes, nobody).std()) for s in (0, 0.4, 1)
    ]
    assert contrast[0] > 2 * contrast[1] > 2 * contrast[2]


def test_a_picture_fills_the_frame_its_middle_shown() -> None:
    wide = np.zeros((50, 300, 3), np.uint8)
    wide[:, 140:160] = 255
    data = bytes(cv2.imencode(".png", wide)[1])
    matte = np.zeros((100, 200), np.float32)
    shown = background_pixels(PictureBackground(data), np.zeros((100, 200, 3), np.uint8), matte)
    assert shown.shape == (100, 200, 3)
    assert shown[:, 90:110].mean() > 200
    assert shown[:, :60].max() == 0
    with pytest.raises(OutputError, match=r"background's picture.*JPEG, PNG or WebP"):
        background_pixels(PictureBackground(b"text"), shown, matte)


def test_the_segmentation_finds_a_person_and_no_wall() -> None:
    photo = decode_image((ROOT / "server/avatars/p02.jpg").read_bytes())
    segment = PersonSegmenter(WEIGHTS_DIR)
    likely = segment(photo)
    assert likely.shape == photo.shape[:2]
    assert likely[300:500, 300:450].min() > 0.95
    assert likely[:300, :60].max() < 0.05
    cutout = cut_out(photo, np.array([[384, 400]], np.float32), ColourBackground(), segment)
    joined = cutout.joined()
    np.testing.assert_array_equal(joined[:300, :60].reshape(-1, 3), [[0, 177, 64]] * 18000)
    np.testing.assert_array_equal(joined[300:500, 300:450], photo[300:500, 300:450])


def test_without_its_file_it_says_so() -> None:
    with pytest.raises(MissingWeightsError, match="selfie_segmentation"):
        PersonSegmenter(ROOT / "nowhere")
