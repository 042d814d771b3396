"""How a stretch's pictures become motion: one interface, an implementation for each engine.

The engine's settings name the function that makes it (``module:function``), because the official
networks live in a room that this one does not know.
"""

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from models.errors import ConfigError
from models.face_keypoints import landmarks_to_motion, relative_to_rest
from models.motion import Motion
from models.shapes import FloatArray, Image

Pictures = Callable[[], Iterator[Image]]


class MotionReader(Protocol):
    """Reads the motion of one person, relative to the person's rest."""

    engine: str

    def read(self, points: FloatArray, pictures: Pictures) -> Motion:
        """points: [T, L, 3], the face mesh in each of the T ``pictures`` [H, W, 3], which are
        decoded when the function is called -> T frames of motion."""
        ...


class LandmarkMotion:
    """The ``lite`` engine's motion is in the mesh; pictures are not looked at."""

    engine = "lite"

    def read(self, points: FloatArray, pictures: Pictures) -> Motion:
        """See MotionReader."""
        del pictures
        return relative_to_rest(landmarks_to_motion(points)[0])


def landmark_motion(weights: Path, seeded: bool) -> MotionReader:
    """The reader of ``configs/prepare/lite.yaml``; it has no weights."""
    del weights, seeded
    return LandmarkMotion()


def load_motion_reader(factory: str, weights: Path, *, seeded: bool = False) -> MotionReader:
    """Call ``module:function`` with the weights folder, and whether made-up weights will do.

    Raises ConfigError when there is no such function, and what the function raises.
    """
    module, _, name = factory.partition(":")
    try:
        make = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"motion is {factory!r}; accepted: module:function ({error})") from error
    reader: MotionReader = make(weights, seeded)
    return reader
