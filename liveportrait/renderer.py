"""What every engine's renderer offers: a photograph becomes a portrait, motion becomes frames."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from models.device import DevicePolicy
from models.errors import ConfigError
from models.motion import Motion
from models.shapes import AnyArray, FloatArray, Image


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


class Renderer(Protocol):
    """One engine's picture side. Stateless: the same arguments give the same frames."""

    engine: str
    width: int
    height: int

    def prepare(self, image: Image) -> Portrait:
        """RGB [H, W, 3] -> Portrait.

        Raises NoFaceError, SeveralFacesError or FaceTooSmallError.
        """
        ...

    def drive(self, portrait: Portrait, generated: Motion) -> Motion:
        """Generated motion, relative to rest -> absolute motion for this portrait, limited."""
        ...

    def render(self, portraits: Sequence[Portrait], motions: Motion) -> AnyArray:
        """One frame of each portrait (they may repeat and mix) -> uint8 RGB [B, H, W, 3].

        ``motions``: absolute, one frame per portrait. Raises ValueError on unequal lengths.
        """
        ...


def load_renderer(engine: str, policy: DevicePolicy, weights: Path) -> Renderer:
    """The renderer of an engine with its files from the ``weights`` folder.

    Raises ConfigError for an engine that does not exist, MissingWeightsError without its files.
    """
    if engine == "lite":
        from liveportrait.lite.engine import LiteRenderer

        return LiteRenderer(policy, weights)
    raise ConfigError(f"engine is {engine!r}; accepted: lite")
