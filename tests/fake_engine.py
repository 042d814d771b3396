"""An engine of arithmetic: its pictures tell which frame they are and how loud its voice was.

The stream has the live generator's delays (hops of 5 frames, 5 frames of look-ahead; 65 in chunk
mode), so everything around it runs as with the real one, and every received picture says exactly
which samples it belongs to.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from liveportrait.background.replacement import background_pixels
from liveportrait.output import (
    USUAL_SIZE_PX,
    OutputChoices,
    OutputOptions,
    PictureBackground,
)
from liveportrait.portrait_warnings import PortraitWarning
from models.errors import NoFaceError
from models.motion import Motion, rest
from models.shapes import FloatArray, Image
from models.timing import SAMPLES_PER_FRAME
from server.engine.config import Engine, EngineConfig, Mode, MotionLevels

LOOKAHEAD_FRAMES = 5
BITS = 16
SIZE = 128  # of the picture; a cell of the frame number's bits is 16 x 16
LOUD_ROWS = slice(64, 128)
_USUAL = OutputOptions()


class FakeStream:
    """Motion whose ``pitch`` is the frame's number and whose ``exp`` is its RMS level x 1000."""

    def __init__(self, mode: Mode, controls: MotionLevels) -> None:
        self.grid_frames = 5
        self.features_s = 0.0
        self.hurried = False
        self.hop_frames = 65 if mode == "chunk" else 5
        self.controls = controls
        self.committed_frames = 0
        self.rest_from: int | None = None
        self._voice: FloatArray = np.zeros(0, np.float32)

    @property
    def delay_frames(self) -> int:
        return self.hop_frames - 1 + LOOKAHEAD_FRAMES

    def push(self, samples: FloatArray) -> Motion:
        self._voice = np.concatenate([self._voice, samples])
        known = len(self._voice) // SAMPLES_PER_FRAME - LOOKAHEAD_FRAMES
        first = self.committed_frames
        while self.committed_frames + self.hop_frames <= known:
            self.committed_frames += self.hop_frames
        numbers = np.arange(first, self.committed_frames)
        levels = [self._level(int(number)) for number in numbers]
        motion = rest(len(numbers))
        return Motion(
            pitch=numbers.astype(np.float32),
            yaw=motion.yaw,
            roll=motion.roll,
            t=motion.t,
            scale=motion.scale,
            exp=motion.exp + np.array(levels, np.float32)[:, None, None] * self.controls.head,
        )

    def rewind(self, frame: int) -> None:
        assert frame % self.grid_frames == 0
        assert frame * SAMPLES_PER_FRAME <= len(self._voice)
        self._voice = self._voice[: frame * SAMPLES_PER_FRAME]
        self.committed_frames = min(self.committed_frames, frame)

    def interrupt(self, frame: int) -> None:
        self.rewind(frame)
        self.rest_from = frame

    def _level(self, frame: int) -> float:
        voice = self._voice[frame * SAMPLES_PER_FRAME : (frame + 1) * SAMPLES_PER_FRAME]
        return float(np.sqrt(np.mean(voice**2))) * 1000


class FakeGenerator:
    """Starts fake streams."""

    def start(self, *, mode: Mode, seed: int, controls: Any) -> FakeStream:
        del seed
        return FakeStream(mode, controls)


@dataclass(frozen=True)
class FakePortrait:
    """Its frames' width and height, and what a user is told."""

    size: tuple[int, int] = (SIZE, SIZE)
    warnings: tuple[PortraitWarning, ...] = ()


class FakeRenderer:
    """Draws the frame's number as 16 black or white cells and its level as the lower half's grey.

    A picture that is dark all over has no face for it. Its pictures have a quarter of the asked
    size: 128 by default; in full framing they are twice as wide.
    """

    width = SIZE
    height = SIZE
    choices = OutputChoices(backgrounds=("none", "colour", "picture"))

    def prepare(self, image: Image, output: OutputOptions = _USUAL) -> FakePortrait:
        if image.mean() < 8:
            raise NoFaceError("no face was found in the picture; accepted: one face, well lit")
        if isinstance(output.background, PictureBackground):
            background_pixels(output.background, image, np.ones(image.shape[:2], np.float32))
        side = output.size * SIZE // USUAL_SIZE_PX
        warnings = (PortraitWarning("small_face", "Few pixels."),) if image.size < 3000 else ()
        return FakePortrait((2 * side if output.framing == "full" else side, side), warnings)

    def drive(self, portrait: FakePortrait, generated: Motion) -> Motion:
        del portrait
        return generated

    def render(self, portraits: Sequence[FakePortrait], motions: Motion) -> list[Image]:
        assert len(portraits) == len(motions)
        pictures = [
            draw(round(float(pitch)), float(level))
            for pitch, level in zip(motions.pitch, motions.exp[:, 0, 0], strict=True)
        ]
        return [
            cv2.resize(picture, portrait.size, interpolation=cv2.INTER_NEAREST).astype(np.uint8)
            for portrait, picture in zip(portraits, pictures, strict=True)
        ]


def draw(frame: int, level: float) -> Image:
    """The picture [128, 128, 3] of a frame."""
    picture: Image = np.zeros((SIZE, SIZE, 3), np.uint8)
    cell = SIZE * 2 // BITS
    for bit in range(BITS):
        row, column = divmod(bit, BITS // 2)
        rows = slice(row * cell, (row + 1) * cell)
        picture[rows, column * cell : (column + 1) * cell] = 230 if frame >> bit & 1 else 20
    picture[LOUD_ROWS] = int(np.clip(level, 0, 220)) + 16
    return picture


def read_frame_number(rgb: Image) -> int:
    """The frame's number out of a picture [128, 128, 3], also after a lossy codec."""
    cell = SIZE * 2 // BITS
    number = 0
    for bit in range(BITS):
        row, column = divmod(bit, BITS // 2)
        y, x = row * cell + cell // 2, column * cell + cell // 2
        if rgb[y - 3 : y + 3, x - 3 : x + 3].mean() > 125:
            number |= 1 << bit
    return number


def read_level(rgb: Image) -> float:
    """The grey of the lower half: about the frame's RMS level x 1000 + 16."""
    return float(rgb[LOUD_ROWS].mean())


def load(config: EngineConfig) -> Engine:
    """The factory that an engine file names."""
    del config
    return Engine("fake", FakeGenerator(), FakeRenderer(), lambda levels: levels)


def write_config(folder: Path) -> Path:
    """An engine file for this engine."""
    path = folder / "fake.yaml"
    path.write_text(f"name: fake\nfactory: tests.fake_engine:load\nwidth: {SIZE}\nheight: {SIZE}\n")
    return path
