"""What makes a face speak: a motion generator and a renderer, described by one YAML file."""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dit.moods import NEUTRAL
from liveportrait.output import OutputChoices, OutputOptions
from models.errors import ConfigError
from models.motion import Motion
from models.shapes import FloatArray, Image
from server.config.settings import ROOT

Mode = Literal["live", "chunk"]
MAX_LEVEL = 3.0  # of any kind of motion
MAX_MOOD_STRENGTH = 1.5
MODES: tuple[Mode, ...] = ("live", "chunk")


@dataclass(frozen=True, slots=True)
class MotionLevels:
    """How much of each kind of motion, 0 = none, 1 = natural, and what mood is worn."""

    head: float = 1.0
    expression: float = 1.0
    blink: float = 1.0
    gaze: float = 1.0
    mood: str = NEUTRAL
    mood_strength: float = 1.0


class MotionStream(Protocol):
    """The motion of one voice, committed hop by hop (see dit/generator.py)."""

    controls: Any
    hurried: bool  # plan as cheaply as can be

    @property
    def committed_frames(self) -> int:
        """Frames handed out so far."""

    @property
    def delay_frames(self) -> int:
        """Frames of voice beyond a frame's own end that it may need."""

    @property
    def grid_frames(self) -> int:
        """It goes back to multiples of this only."""

    @property
    def features_s(self) -> float:
        """Wall time that the speech encoder took so far, where it is apart."""

    def push(self, samples: FloatArray) -> Motion:
        """Voice [n] at 16 kHz -> the frames that it completes, maybe none."""

    def rewind(self, frame: int) -> None:
        """Forget voice and motion from ``frame`` on."""

    def interrupt(self, frame: int) -> None:
        """Rewind, and let mouth and brows come to rest."""


class Generator(Protocol):
    """Makes motion streams; deterministic for a seed."""

    def start(self, *, mode: Mode, seed: int, controls: Any) -> MotionStream:
        """A new voice."""


class Renderer(Protocol):
    """Turns portraits and motion into pictures (see liveportrait/renderer.py)."""

    width: int  # of frames, where no other size is asked for
    height: int
    choices: OutputChoices

    def prepare(self, image: Image, output: OutputOptions = ..., /) -> Any:
        """A picture -> a portrait with its frames' ``size``, or a PortraitError or OutputError."""

    def drive(self, portrait: Any, generated: Motion) -> Motion:
        """Relative motion [T] -> the motion [T] of this portrait."""

    def render(self, portraits: Sequence[Any], motions: Motion) -> Sequence[Image]:
        """B portraits and motions -> B pictures [H, W, 3], each of its portrait's size."""


@dataclass(frozen=True, slots=True)
class Engine:
    """The parts of one engine, loaded in the worker's process."""

    device: str
    generator: Generator
    renderer: Renderer
    make_controls: Callable[[MotionLevels], Any]


class LiveSettings(BaseModel):
    """How a live voice is cut: shorter means a face that answers sooner, and more work."""

    model_config = ConfigDict(extra="forbid")

    hop_frames: int = Field(default=5, ge=1, le=25)  # planned at once, and shown
    lookahead_frames: int = Field(default=5, ge=1, le=25)  # of voice waited for beyond a hop


class JoyvasaSettings(BaseModel):
    """How motion is drawn from JoyVASA's network (``JoyvasaSampling`` says what is accepted)."""

    model_config = ConfigDict(extra="forbid")

    steps: int = 10
    eta: float = 0.0
    guidance: float = 2.8
    smooth_pose: bool = True
    lookahead_frames: int = 5


class EngineConfig(BaseModel):
    """One file of configs/engine/."""

    model_config = ConfigDict(extra="forbid")

    name: str
    factory: str  # dotted path "package.module:function" of EngineConfig -> Engine
    encoder: str = ""
    generator: Literal["dit", "joyvasa"] = "dit"  # what kind of motion checkpoint
    motion: str = ""
    joyvasa: JoyvasaSettings = JoyvasaSettings()
    live: LiveSettings = LiveSettings()  # of generator dit
    renderer: str = ""
    motion_layout: Literal["own", "absolute_lips", "explicit"] = "own"
    quality: Literal["fast", "quality"] = "fast"
    weights: str = "weights"
    seeded_weights: bool = False  # made-up weights of the liveportrait renderer, for tests
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    backend: Literal["auto", "torch", "openvino"] = "auto"
    threads: int = Field(default=1, ge=1)
    max_batch: int = Field(default=8, ge=1, le=64)
    start_limit_s: float = Field(default=300.0, gt=0)  # loading may convert networks once
    silence_limit_s: float = Field(default=15.0, gt=0)  # a worker that runs beats once a second
    width: int = Field(default=512, ge=64, le=4096, multiple_of=2)
    height: int = Field(default=512, ge=64, le=4096, multiple_of=2)

    @model_validator(mode="after")
    def _layout_is_the_generators(self) -> "EngineConfig":
        if (self.generator == "joyvasa") != (self.motion_layout == "absolute_lips"):
            raise ValueError("generator joyvasa and motion_layout absolute_lips belong together")
        if self.generator == "joyvasa" and self.live != LiveSettings():
            raise ValueError("live is for generator dit; joyvasa has joyvasa.lookahead_frames")
        return self

    def batch_on(self, device: str) -> int:
        """Frames per call; on a CPU a batch saves nothing, and a long one delays heartbeats."""
        return self.max_batch if device == "cuda" else min(self.max_batch, 2)

    def path(self, name: str) -> Path:
        """A path of this file, relative to the checkout."""
        return ROOT / name


def load_engine_config(name_or_path: str) -> EngineConfig:
    """``lite`` -> configs/engine/lite.yaml; anything that ends in .yaml is a path.

    Raises ConfigError.
    """
    folder = ROOT / "configs" / "engine"
    is_path = name_or_path.endswith((".yaml", ".yml"))
    path = Path(name_or_path) if is_path else folder / f"{name_or_path}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in folder.glob("*.yaml")))
        raise ConfigError(f"there is no engine {name_or_path!r}; known: {known}, or a YAML file")
    try:
        return EngineConfig(**yaml.safe_load(path.read_text()))
    except (ValidationError, yaml.YAMLError, TypeError) as error:
        raise ConfigError(f"bad engine file {path}: {error}") from error


def build_engine(config: EngineConfig) -> Engine:
    """Import the factory that the file names, and let it load the engine."""
    module, _, function = config.factory.partition(":")
    try:
        factory = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"engine {config.name}: cannot find factory {config.factory}") from error
    engine: Engine = factory(config)
    size = (engine.renderer.width, engine.renderer.height)
    if size != (config.width, config.height):
        raise ConfigError(
            f"engine {config.name}: its renderer draws {size[0]}x{size[1]},"
            f" the file says {config.width}x{config.height}"
        )
    return engine
