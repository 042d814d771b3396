"""What every engine's renderer offers: a photograph becomes a portrait, motion becomes frames."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from liveportrait.output import OutputChoices, OutputOptions
from liveportrait.portrait_warnings import PortraitWarning
from models.device import DevicePolicy
from models.errors import ConfigError
from models.motion import Motion
from models.shapes import FloatArray, Image

ENGINES = ("lite", "liveportrait")
# How liveportrait takes motion: change of its own keypoints; the same, but lips as they are to be;
# or the lite engine's motion.
MotionLayout = Literal["own", "absolute_lips", "explicit"]


class Portrait(Protocol):
    """A prepared photograph; opaque but for these, and picklable."""

    @property
    def canonical(self) -> FloatArray:
        """The person's keypoints at rest [K, 3], head pose removed."""
        ...

    @property
    def source(self) -> Motion:
        """The motion (T == 1) that gives the photograph itself back."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of its frames."""
        ...

    @property
    def warnings(self) -> tuple[PortraitWarning, ...]:
        """What keeps this photograph from looking its best; empty for a good one."""
        ...


class Renderer(Protocol):
    """One engine's picture side. Stateless: the same arguments give the same frames."""

    engine: str
    width: int  # of frames, where no other size is asked for
    height: int
    choices: OutputChoices  # of what ``prepare`` can be asked for

    def prepare(self, image: Image, options: OutputOptions = ...) -> Portrait:
        """RGB [H, W, 3] -> Portrait whose frames are as the options say.

        Raises NoFaceError, SeveralFacesError or FaceTooSmallError, and OutputError for options that
        are not among its ``choices``.
        """
        ...

    def drive(self, portrait: Portrait, generated: Motion) -> Motion:
        """Generated motion, relative to rest -> absolute motion for this portrait, limited."""
        ...

    def render(self, portraits: Sequence[Portrait], motions: Motion) -> list[Image]:
        """One frame of each portrait (they may repeat and mix) -> B times uint8 RGB [H, W, 3], each
        of its portrait's size.

        ``motions``: absolute, one frame per portrait. Raises ValueError on unequal lengths.
        """
        ...


@dataclass(frozen=True, slots=True)
class RendererChoice:
    """Which renderer, and how it is set up. Raises ConfigError for what does not exist."""

    engine: str
    motion_layout: MotionLayout = "own"
    quality: Literal["fast", "quality"] = "fast"  # of liveportrait
    seeded: bool = False  # liveportrait with the tests' made-up weights

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise ConfigError(f"engine is {self.engine!r}; accepted: {', '.join(ENGINES)}")
        neural_only = (self.motion_layout != "own", self.quality != "fast", self.seeded)
        if self.engine == "lite" and any(neural_only):
            raise ConfigError("motion_layout, quality and seeded are for the liveportrait engine")

    @property
    def motion_engine(self) -> str:
        """The engine whose motion it takes: what a motion checkpoint must be made for."""
        return "lite" if self.motion_layout == "explicit" else self.engine


def load_renderer(choice: RendererChoice | str, policy: DevicePolicy, weights: Path) -> Renderer:
    """The renderer of an engine with its files from the ``weights`` folder.

    Raises ConfigError for an engine that does not exist, MissingWeightsError without its files,
    ChecksumError or WeightsError for other files.
    """
    chosen = RendererChoice(choice) if isinstance(choice, str) else choice
    if chosen.engine == "lite":
        from liveportrait.lite.engine import LiteRenderer

        return LiteRenderer(policy, weights)
    from liveportrait.neural.engine import load_neural_renderer

    return load_neural_renderer(chosen, policy, weights)
