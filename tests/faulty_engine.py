"""The fake engine with faults that a test switches on by files in the engine's folder.

The faults happen where they would: in the worker's process, to its real memory.
"""

import resource
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from liveportrait.output import OutputOptions
from models.motion import Motion
from models.shapes import Image
from server.engine.config import Engine, EngineConfig
from tests.fake_engine import SIZE, FakeGenerator, FakePortrait, FakeRenderer

POOR_SIZE_PX = 256  # sessions with pictures of this size are the ones that faults happen to
_POOR = FakePortrait((SIZE // 2, SIZE // 2))
_SPARE_BYTES = 32 << 20
_STEP_S = 0.05

DIES_LOADING = "dies_loading"
NO_MEMORY_TO_RENDER = "no_memory_to_render"
PREPARES_FOR_EVER = "prepares_for_ever"


class FaultyRenderer(FakeRenderer):
    """See the module."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def prepare(self, image: Image, output: OutputOptions = OutputOptions()) -> FakePortrait:  # noqa: B008
        while (self._folder / PREPARES_FOR_EVER).exists():
            time.sleep(_STEP_S)
        return super().prepare(image, output)

    def render(self, portraits: Sequence[FakePortrait], motions: Motion) -> list[Image]:
        if _POOR in portraits and (self._folder / NO_MEMORY_TO_RENDER).exists():
            run_out_of_memory()
        return super().render(portraits, motions)


def run_out_of_memory() -> None:
    """Ask for more than the process may have. Raises MemoryError."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    limit = pages * resource.getpagesize() + _SPARE_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]))
    try:
        np.ones(_SPARE_BYTES * 4, np.uint8)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def load(config: EngineConfig) -> Engine:
    """The factory that an engine file names."""
    folder = Path(config.weights)
    if (folder / DIES_LOADING).exists():
        raise RuntimeError("this engine was told to die")
    return Engine("fake", FakeGenerator(), FaultyRenderer(folder), lambda levels: levels)


def write_config(folder: Path, **fields: object) -> Path:
    """An engine file for this engine, its faults switched on by files in ``folder``."""
    lines = {
        "name": "faulty",
        "factory": "tests.faulty_engine:load",
        "width": SIZE,
        "height": SIZE,
        "weights": folder,
    }
    path = folder / "faulty.yaml"
    path.write_text("".join(f"{name}: {value}\n" for name, value in (lines | fields).items()))
    return path
