"""What the driving-video tool is asked to do, checked before anything is loaded."""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal, get_args

from liveportrait.animation.options import AnimationOptions
from models.errors import ConfigError
from models.weights import WEIGHTS_DIR

EngineName = Literal["lite", "liveportrait"]
Quality = Literal["fast", "quality"]
Sound = Literal["driving", "source", "none"]

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})
VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".m4v"})
TEMPLATE_SUFFIXES = frozenset({".pkl", ".safetensors"})
_ANIMAL_OPTIONS = {"stitching", "driving_multiplier"}
_LITE_OPTIONS = {"relative", "animation_region", "driving_multiplier"}


@dataclass(frozen=True, slots=True)
class CropBox:
    """The part of a picture to animate, in its own pixels. Raises ConfigError."""

    x: float
    y: float
    width: float
    height: float

    def __post_init__(self) -> None:
        if self.width < 16 or self.height < 16:
            raise ConfigError(
                f"crop_box is {self.width:g}x{self.height:g}; accepted: sides of 16 pixels and more"
            )

    @classmethod
    def parse(cls, text: str) -> "CropBox":
        """``x,y,w,h`` -> CropBox."""
        try:
            x, y, width, height = (float(part) for part in text.split(","))
        except ValueError as error:
            raise ConfigError(
                f"crop_box is {text!r}; accepted: x,y,w,h in pixels, such as 120,40,300,300"
            ) from error
        return cls(x, y, width, height)


@dataclass(frozen=True, slots=True)
class AnimateJob:
    """One animation. Raises ConfigError for what contradicts itself or the engine cannot do."""

    source: Path
    driving: Path
    out: Path  # .mp4; or a picture's name, when the driver is one picture
    engine: EngineName = "lite"
    quality: Quality = "quality"  # of liveportrait; lite has one
    options: AnimationOptions = field(default_factory=AnimationOptions)
    paste_back: bool = True  # else the 512 x 512 crop is the picture
    crop_driving: bool = False
    animal: bool = False
    crop_box: CropBox | None = None
    sound: Sound = "driving"
    workers: int = 2
    batch: int = 4
    max_frames: int | None = None  # of the driving video
    template_out: Path | None = None
    weights: Path = WEIGHTS_DIR
    seeded_weights: bool = False  # the tests' made-up weights: the whole path, no real picture

    def __post_init__(self) -> None:
        for name, accepted in (("engine", EngineName), ("quality", Quality), ("sound", Sound)):
            if getattr(self, name) not in get_args(accepted):
                raise ConfigError(
                    f"{name} is {getattr(self, name)!r}; accepted: {', '.join(get_args(accepted))}"
                )
        for name in ("workers", "batch"):
            if not 1 <= getattr(self, name) <= 64:
                raise ConfigError(f"{name} is {getattr(self, name)}; accepted: 1 to 64")
        if self.max_frames is not None and self.max_frames < 1:
            raise ConfigError(f"max_frames is {self.max_frames}; accepted: 1 and more")
        self._check_files()
        if self.engine == "lite":
            self._check_lite()
        self._check_combinations()

    @property
    def driven_by_template(self) -> bool:
        return self.driving.suffix.lower() in TEMPLATE_SUFFIXES

    @property
    def driven_by_picture(self) -> bool:
        return self.driving.suffix.lower() in PICTURE_SUFFIXES

    @property
    def source_is_video(self) -> bool:
        return self.source.suffix.lower() in VIDEO_SUFFIXES

    @property
    def writes_picture(self) -> bool:
        return self.out.suffix.lower() in PICTURE_SUFFIXES

    @property
    def sound_from(self) -> Path | None:
        """The file whose sound goes into the result, where it may have any."""
        if self.sound == "driving" and self.driving.suffix.lower() in VIDEO_SUFFIXES:
            return self.driving
        if self.sound == "source" and self.source_is_video:
            return self.source
        return None

    def _check_files(self) -> None:
        _check_input("source", self.source, PICTURE_SUFFIXES | VIDEO_SUFFIXES)
        _check_input("driving", self.driving, PICTURE_SUFFIXES | VIDEO_SUFFIXES | TEMPLATE_SUFFIXES)
        if not self.writes_picture and self.out.suffix.lower() != ".mp4":
            raise ConfigError(
                f"out is {self.out}; accepted: a name that ends in .mp4, .png or .jpg"
            )
        if self.writes_picture and self.source_is_video:
            raise ConfigError(f"out is {self.out}, but a source video gives a video: name an .mp4")
        if self.writes_picture and self.driving.suffix.lower() in VIDEO_SUFFIXES:
            raise ConfigError(f"out is {self.out}, but the driver is a video: name an .mp4")
        for name in ("out", "template_out"):
            path = getattr(self, name)
            if path is not None and not path.absolute().parent.is_dir():
                raise ConfigError(f"there is no folder {path.parent} to write {path.name} to")
        if self.template_out is not None:
            if self.template_out.suffix.lower() not in TEMPLATE_SUFFIXES:
                raise ConfigError(
                    f"template_out is {self.template_out}; accepted: .pkl, .safetensors"
                )
            if self.driven_by_template:
                raise ConfigError("the driving file is a motion template already")

    def _check_combinations(self) -> None:
        """What would have no effect is refused, not passed over."""
        if self.sound == "source" and not self.source_is_video:
            raise ConfigError("sound is 'source', but a photograph has none")
        if self.crop_driving and self.driven_by_template:
            raise ConfigError("crop_driving is for videos and pictures, not for a motion template")
        of_videos = self._changed_options() & {"source_video_eye_retargeting", "smooth_variance"}
        if of_videos and not self.source_is_video:
            raise ConfigError(f"{', '.join(sorted(of_videos))}: only for a video as source")
        if not self.animal:
            return
        if self.source_is_video:
            raise ConfigError("the source of an animal animation is a photograph, not a video")
        if self.crop_box is None:
            raise ConfigError("an animal's face is not searched for: say where it is with crop_box")
        if without_effect := self._changed_options() - _ANIMAL_OPTIONS:
            raise ConfigError(f"animals have no {', '.join(sorted(without_effect))}; leave it out")

    def _check_lite(self) -> None:
        """The lite engine moves explicit face points: most official options have no meaning."""
        asked = sorted(self._changed_options() - _LITE_OPTIONS)
        names = ("crop_driving", "animal", "crop_box", "template_out", "seeded_weights")
        asked += [name for name in names if getattr(self, name)]
        if asked:
            raise ConfigError(
                f"the lite engine has no {', '.join(asked)}; use --engine liveportrait, or leave "
                "that out"
            )

    def _changed_options(self) -> set[str]:
        default = AnimationOptions()
        names = (option.name for option in fields(default))
        return {n for n in names if getattr(self.options, n) != getattr(default, n)}


def _check_input(name: str, path: Path, suffixes: frozenset[str]) -> None:
    if path.suffix.lower() not in suffixes:
        raise ConfigError(f"{name} is {path}; accepted: files {', '.join(sorted(suffixes))}")
    if not path.is_file():
        raise ConfigError(f"there is no {name} file {path}")


@dataclass(frozen=True, slots=True)
class AnimateResult:
    """What was made."""

    path: Path
    frames: int
    seconds: float  # it took
