"""How a portrait is shown: its size, how much of the photograph, and what is behind the person."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from models.errors import ConfigError

SizePx = Literal[256, 512, 768]
FramingName = Literal["face", "full"]
BackgroundName = Literal["none", "colour", "picture", "blur"]
SIZES_PX: tuple[SizePx, ...] = get_args(SizePx)
FRAMINGS: tuple[FramingName, ...] = get_args(FramingName)
BACKGROUNDS: tuple[BackgroundName, ...] = get_args(BackgroundName)
GREEN = "#00b140"  # what video programs key out
USUAL_SIZE_PX: SizePx = 512
USUAL_BLUR = 0.5
# of a picture in full framing: as many pixels as 1280x720, whatever its shape
MAX_SIDE_PX = 1280
MAX_PICTURE_PX = 1280 * 720
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_COLOUR_NAMES = {"green": GREEN, "white": "#ffffff", "black": "#000000", "grey": "#808080"}


class OutputError(ConfigError):
    """A way of showing that does not exist, or that the engine cannot do."""

    code = "bad_output"


@dataclass(frozen=True, slots=True)
class ColourBackground:
    """One colour, written ``#rrggbb``; exactly that colour wherever nothing of the person is."""

    colour: str = GREEN

    def __post_init__(self) -> None:
        if not _COLOUR.fullmatch(self.colour):
            raise OutputError(f"colour is {self.colour!r}; accepted: #rrggbb, such as {GREEN}")

    @property
    def rgb(self) -> tuple[int, int, int]:
        """Red, green and blue, 0 to 255."""
        red, green, blue = bytes.fromhex(self.colour[1:])
        return red, green, blue


@dataclass(frozen=True, slots=True)
class PictureBackground:
    """A picture file's bytes (JPEG, PNG or WebP), cut to fill the frame."""

    image: bytes


@dataclass(frozen=True, slots=True)
class BlurBackground:
    """The photograph's own background, out of focus; ``strength`` 0 hardly, 1 most."""

    strength: float = USUAL_BLUR

    def __post_init__(self) -> None:
        if not 0.0 <= self.strength <= 1.0:
            raise OutputError(f"blur strength is {self.strength:g}; accepted: 0 to 1")


Background = ColourBackground | PictureBackground | BlurBackground


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """Chosen before a portrait is prepared. Raises OutputError.

    ``size``: side in pixels of the square in which the face moves. With framing ``face`` that
    square is the frame. With ``full`` the frame is the whole photograph around it: never enlarged,
    at most MAX_SIDE_PX a side and MAX_PICTURE_PX in all, its square at most ``size``.
    """

    size: SizePx = USUAL_SIZE_PX
    framing: FramingName = "face"
    background: Background | None = None  # None: the photograph's own

    def __post_init__(self) -> None:
        if self.size not in SIZES_PX:
            raise OutputError(f"size is {self.size!r}; accepted: {_listed(SIZES_PX)}")
        if self.framing not in FRAMINGS:
            raise OutputError(f"framing is {self.framing!r}; accepted: {_listed(FRAMINGS)}")

    @property
    def background_name(self) -> BackgroundName:
        """Which kind of background."""
        match self.background:
            case None:
                return "none"
            case ColourBackground():
                return "colour"
            case PictureBackground():
                return "picture"
            case BlurBackground():
                return "blur"

    @property
    def key(self) -> str:
        """Equal for equal options, and short: what portraits prepared with them are kept by."""
        match self.background:
            case None:
                detail = ""
            case ColourBackground(colour):
                detail = colour.lower()
            case PictureBackground(image):
                detail = hashlib.sha256(image).hexdigest()
            case BlurBackground(strength):
                detail = f"{strength:.3f}"
        return f"{self.size}-{self.framing}-{self.background_name}{detail}"


def full_size(photo: tuple[int, int], square: float, square_px: int) -> tuple[int, int]:
    """Width and height (even) of a ``photo`` of that width and height in full framing, where the
    square in which the face moves is ``square`` of its pixels wide and may be ``square_px``."""
    width, height = photo
    factor = min(
        1.0,
        MAX_SIDE_PX / max(width, height),
        (MAX_PICTURE_PX / (width * height)) ** 0.5,
        square_px / min(square, width, height),
    )
    return max(2, int(width * factor) // 2 * 2), max(2, int(height * factor) // 2 * 2)


@dataclass(frozen=True, slots=True)
class OutputChoices:
    """What one engine's renderer can do."""

    sizes: tuple[SizePx, ...] = SIZES_PX
    framings: tuple[FramingName, ...] = FRAMINGS
    backgrounds: tuple[BackgroundName, ...] = BACKGROUNDS

    def check(self, options: OutputOptions, engine: str) -> None:
        """Raises OutputError for what the engine cannot do."""
        asked = (
            ("size", options.size, self.sizes),
            ("framing", options.framing, self.framings),
            ("background", options.background_name, self.backgrounds),
        )
        for name, value, accepted in asked:
            if value not in accepted:
                raise OutputError(
                    f"{name} {value} is not possible with engine {engine}; accepted:"
                    f" {_listed(accepted)}"
                )


def parse_background(text: str) -> Background | None:
    """``none``, ``blur``, ``blur:0.8``, ``#rrggbb``, a colour's name, or a picture file's path.

    Raises OutputError.
    """
    name, _, detail = text.partition(":")
    if text == "none":
        return None
    if name == "blur":
        try:
            return BlurBackground(float(detail) if detail else USUAL_BLUR)
        except ValueError as error:
            raise OutputError(f"blur strength is {detail!r}; accepted: 0 to 1") from error
    if text.startswith("#") or text in _COLOUR_NAMES:
        return ColourBackground(_COLOUR_NAMES.get(text, text))
    try:
        return PictureBackground(Path(text).read_bytes())
    except OSError as error:
        raise OutputError(
            f"background is {text!r}, and there is no such picture file; accepted: none, blur,"
            f" blur:0.8, #rrggbb, {', '.join(_COLOUR_NAMES)}, or a JPEG, PNG or WebP file"
        ) from error


def _listed(values: tuple[object, ...]) -> str:
    return ", ".join(str(value) for value in values)
