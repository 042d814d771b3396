"""What can be asked of a picture, and what is refused."""

from pathlib import Path
from typing import Any

import pytest

from liveportrait.output import (
    MAX_PICTURE_PX,
    MAX_SIDE_PX,
    Background,
    BlurBackground,
    ColourBackground,
    OutputChoices,
    OutputError,
    OutputOptions,
    PictureBackground,
    full_size,
    parse_background,
)


@pytest.mark.parametrize(
    ("values", "accepted"),
    [
        ({"size": 500}, "256, 512, 768"),
        ({"size": "512"}, "256, 512, 768"),
        ({"framing": "wide"}, "face, full"),
    ],
)
def test_what_does_not_exist_is_refused(values: dict[str, Any], accepted: str) -> None:
    with pytest.raises(OutputError, match=f"{next(iter(values.values()))}.*accepted: {accepted}"):
        OutputOptions(**values)


@pytest.mark.parametrize("colour", ["00b140", "#00b14", "#00b1401", "#gggggg", "green", ""])
def test_a_colour_is_six_digits(colour: str) -> None:
    with pytest.raises(OutputError, match="accepted: #rrggbb"):
        ColourBackground(colour)


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_blur_has_a_strength_of_0_to_1(strength: float) -> None:
    with pytest.raises(OutputError, match="accepted: 0 to 1"):
        BlurBackground(strength)


def test_backgrounds_are_read_from_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "room.jpg").write_bytes(b"a picture")
    for text, expected in {
        "none": None,
        "blur": BlurBackground(),
        "blur:0.8": BlurBackground(0.8),
        "#A0b0C0": ColourBackground("#A0b0C0"),
        "green": ColourBackground(),
        str(tmp_path / "room.jpg"): PictureBackground(b"a picture"),
    }.items():
        assert parse_background(text) == expected
    for text in ("blur:much", "blur:2", "#12", "room.jpg", str(tmp_path)):
        with pytest.raises(OutputError):
            parse_background(text)


def test_keys_tell_all_options_apart() -> None:
    backgrounds: list[Background | None] = [
        None,
        ColourBackground(),
        ColourBackground("#000000"),
        BlurBackground(0.1),
        BlurBackground(0.2),
        PictureBackground(b"a"),
        PictureBackground(b"b"),
    ]
    every = [OutputOptions(background=background) for background in backgrounds]
    every += [OutputOptions(size=256), OutputOptions(framing="full")]
    assert len({options.key for options in every}) == len(every)
    assert OutputOptions(background=ColourBackground("#00B140")).key == every[1].key


def test_engines_say_what_they_cannot_do() -> None:
    choices = OutputChoices(backgrounds=("none",))
    choices.check(OutputOptions(256, "full"), "some")
    with pytest.raises(OutputError, match=r"background blur.*engine some; accepted: none"):
        choices.check(OutputOptions(background=BlurBackground()), "some")


@pytest.mark.parametrize(
    ("photo", "square", "square_px", "expected"),
    [
        ((800, 600), 300, 512, (800, 600)),  # never enlarged
        ((801, 601), 300, 512, (800, 600)),  # but even
        ((4000, 2000), 600, 768, (1280, 640)),  # the longest side
        ((3000, 3000), 900, 768, (960, 960)),  # as many pixels as 1280x720
        ((2000, 1000), 1000, 256, (512, 256)),  # the square
        ((600, 2000), 900, 512, (384, 1280)),  # a square cannot be wider than the photograph
    ],
)
def test_a_whole_photograph_fits_the_limits(
    photo: tuple[int, int], square: float, square_px: int, expected: tuple[int, int]
) -> None:
    width, height = full_size(photo, square, square_px)
    assert (width, height) == expected
    assert max(width, height) <= MAX_SIDE_PX
    assert width * height <= MAX_PICTURE_PX
