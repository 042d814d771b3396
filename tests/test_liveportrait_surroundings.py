"""Sizes, the whole photograph, and backgrounds, as the lite renderer draws them."""

import cv2
import numpy as np
import pytest

from liveportrait.lite.engine import LiteRenderer
from liveportrait.lite.sheet import POSES
from liveportrait.output import (
    SIZES_PX,
    BlurBackground,
    ColourBackground,
    OutputError,
    OutputOptions,
    PictureBackground,
)
from models.device import DevicePolicy
from models.images import decode_image
from models.motion import concatenate
from models.shapes import Image
from models.weights import WEIGHTS_DIR
from tests.conftest import ROOT

GREEN = (0, 177, 64)


@pytest.fixture(scope="module")
def renderer() -> LiteRenderer:
    return LiteRenderer(DevicePolicy(), WEIGHTS_DIR)


@pytest.fixture(scope="module")
def presenter() -> Image:
    """A portrait at the left of a striped room [500, 800, 3]."""
    photo = decode_image((ROOT / "server/avatars/p03.jpg").read_bytes())
    room = np.full((500, 800, 3), 70, np.uint8)
    room[:, ::20] = (120, 110, 90)
    room[160:, 80:420] = cv2.resize(photo, (340, 340), interpolation=cv2.INTER_AREA)
    return room


def drawn(renderer: LiteRenderer, portrait: object, pose: str) -> Image:
    return renderer.render([portrait], renderer.drive(portrait, POSES[pose]))[0]  # type: ignore[list-item, arg-type]


def psnr_db(a: Image, b: Image) -> float:
    error = float(np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2))
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def test_every_size_shows_the_same_face(renderer: LiteRenderer) -> None:
    photo = decode_image((ROOT / "server/avatars/p06.jpg").read_bytes())
    frames = {}
    for size in SIZES_PX:
        portrait = renderer.prepare(photo, OutputOptions(size))
        assert portrait.size == (size, size)
        frames[size] = drawn(renderer, portrait, "ah")
        assert frames[size].shape == (size, size, 3)
    usual = cv2.resize(frames[512], (256, 256), interpolation=cv2.INTER_AREA)
    large = cv2.resize(frames[768], (256, 256), interpolation=cv2.INTER_AREA)
    assert psnr_db(large, usual) > 30
    assert psnr_db(frames[256], usual) > 27


def test_outside_the_square_the_photograph_stays_bit_for_bit(
    renderer: LiteRenderer, presenter: Image
) -> None:
    portrait = renderer.prepare(presenter, OutputOptions(framing="full"))
    assert portrait.size == (800, 500)
    whole = portrait.whole
    assert whole is not None
    frame = drawn(renderer, portrait, "yaw +15")
    outside = np.ones(frame.shape[:2], bool)
    outside[max(whole.top, 0) : whole.top + portrait.side_px, whole.left :][
        :, : portrait.side_px
    ] = False
    assert 0.2 < outside.mean() < 0.9
    np.testing.assert_array_equal(frame[outside], presenter[outside])
    assert np.abs(frame.astype(int) - presenter)[~outside].mean() > 3
    still = renderer.render([portrait], portrait.source)[0]
    assert psnr_db(still, presenter) > 36


def test_the_squares_edge_does_not_move(renderer: LiteRenderer, presenter: Image) -> None:
    """No seam: next to the square's edge even the widest turn changes nearly nothing."""
    portrait = renderer.prepare(presenter, OutputOptions(framing="full"))
    whole, side = portrait.whole, portrait.side_px
    assert whole is not None
    frame = drawn(renderer, portrait, "yaw -15").astype(int)
    inner = np.s_[max(whole.top, 0) + 2, whole.left + 2 : whole.left + side - 2]
    assert np.abs(frame[inner] - presenter[inner]).mean() < 4


def test_a_mixed_batch_equals_single_frames(renderer: LiteRenderer, presenter: Image) -> None:
    options = [
        OutputOptions(256),
        OutputOptions(768, background=BlurBackground()),
        OutputOptions(256, "full"),
    ]
    portraits = [renderer.prepare(presenter, option) for option in options]
    motions = concatenate([renderer.drive(portrait, POSES["oh"]) for portrait in portraits])
    batch = renderer.render(portraits, motions)
    assert [frame.shape[1::-1] for frame in batch] == [portrait.size for portrait in portraits]
    for index, portrait in enumerate(portraits):
        alone = renderer.render([portrait], motions[index : index + 1])[0]
        np.testing.assert_array_equal(batch[index], alone)


@pytest.mark.parametrize("framing", ["face", "full"])
def test_a_coloured_background_is_exact_and_the_person_is_not_touched(
    renderer: LiteRenderer, presenter: Image, framing: str
) -> None:
    plain = renderer.prepare(presenter, OutputOptions(512, framing))  # type: ignore[arg-type]
    keyed = renderer.prepare(
        presenter,
        OutputOptions(512, framing, ColourBackground()),  # type: ignore[arg-type]
    )
    own, green = drawn(renderer, plain, "yaw +15"), drawn(renderer, keyed, "yaw +15")
    is_green = (green == GREEN).all(-1)
    assert 0.2 < is_green.mean() < 0.95
    assert is_green[: len(green) // 20].mean() > 0.5
    left, top = (keyed.whole.left, keyed.whole.top) if keyed.whole else (0, 0)
    x, y = (keyed.points[4, :2] + [left, top]).astype(int)  # the nose
    face = np.s_[y - 20 : y + 20, x - 20 : x + 20]
    np.testing.assert_array_equal(green[face], own[face])
    untouched = (green == own).all(-1)
    edge = ~is_green & ~untouched
    assert edge.mean() < 0.1  # only where hair and wall mix


def test_a_background_that_is_no_picture_is_refused(
    renderer: LiteRenderer, presenter: Image
) -> None:
    with pytest.raises(OutputError, match="cannot be used"):
        renderer.prepare(presenter, OutputOptions(background=PictureBackground(b"no picture")))
