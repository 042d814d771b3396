"""The first seconds of a worker: run every path once, and measure what a hop takes."""

import time
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from models.images import decode_image
from models.motion import Motion, concatenate
from models.timing import FPS, SAMPLES_PER_FRAME
from server.engine.config import MODES, Engine, EngineConfig, Mode, MotionLevels
from server.engine.messages import EngineInfo, ModeTiming, SecondCost
from server.engine.motion_lane import makes_motion_apart

_MEASURED_HOPS = {"live": 12, "chunk": 2}
_LONGEST_WAIT_FRAMES = 500
_LONGEST_MODE_S = 10.0  # where a picture takes seconds, one hop must do


class _Watch:
    """Wall and CPU time since it was made."""

    def __init__(self) -> None:
        self._wall_s, self._cpu_s = time.perf_counter(), time.process_time()

    @property
    def wall_s(self) -> float:
        return time.perf_counter() - self._wall_s

    @property
    def cpu_s(self) -> float:
        return time.process_time() - self._cpu_s


@dataclass
class _Figures:
    """What was measured in one mode, hop by hop; the first pays for what is made once."""

    hop_frames: int = 0
    hop_ms: list[float] = field(default_factory=list)
    motion: list[SecondCost] = field(default_factory=list)
    picture_ms: list[float] = field(default_factory=list)
    pictures: list[SecondCost] = field(default_factory=list)


def warm_up(engine: Engine, config: EngineConfig, image: bytes) -> EngineInfo:
    """Speak a second of noise with a portrait in every mode; returns the measured figures.

    Raises PortraitError when the portrait of the warm-up itself is bad.
    """
    portrait = engine.renderer.prepare(decode_image(image))
    timings: dict[Mode, ModeTiming] = {}
    for mode in MODES:
        delay_frames, figures = _speak(engine, config, portrait, mode)
        # any of them may be disturbed by what else runs, here or on the host of a virtual machine
        hop_ms = min(figures.hop_ms)
        motion = _least(figures.motion[1:] or figures.motion)
        timings[mode] = ModeTiming(delay_frames, figures.hop_frames, hop_ms, motion)
    return EngineInfo(
        name=config.name,
        device=engine.device,
        width=config.width,
        height=config.height,
        live=timings["live"],
        chunk=timings["chunk"],
        render_ms=figures.picture_ms[-1],
        pictures=_least(figures.pictures),
        motion_apart=makes_motion_apart(engine),
        choices=engine.renderer.choices,
    )


def _speak(engine: Engine, config: EngineConfig, portrait: Any, mode: Mode) -> tuple[int, _Figures]:
    """The mode's delay in frames, and what its hops took."""
    stream = engine.generator.start(
        mode=mode, seed=0, controls=engine.make_controls(MotionLevels())
    )
    noise, figures = np.random.default_rng(0), _Figures()
    started, hop = time.perf_counter(), _Watch()
    for _ in range(_LONGEST_WAIT_FRAMES):
        voice = noise.normal(0.0, 0.05, SAMPLES_PER_FRAME).astype(np.float32)
        push = _Watch()
        generated = stream.push(voice)
        if len(generated) == 0:
            continue
        driven = engine.renderer.drive(portrait, generated)
        second = FPS / len(generated)
        figures.motion.append(_cost(engine, config, hop).times(second))
        engine.renderer.render([portrait], driven[:1])
        figures.hop_ms.append(push.wall_s * 1000)
        figures.hop_frames = max(figures.hop_frames, len(generated))
        _draw(engine, config, portrait, driven, figures)
        enough = len(figures.hop_ms) >= _MEASURED_HOPS[mode]
        if enough or time.perf_counter() - started > _LONGEST_MODE_S:
            break
        hop = _Watch()
    return stream.delay_frames, figures


def _draw(
    engine: Engine, config: EngineConfig, portrait: Any, driven: Motion, figures: _Figures
) -> None:
    """One batch of pictures, as the loop draws them."""
    batch = min(config.batch_on(engine.device), len(driven))
    drawing = _Watch()
    for picture in engine.renderer.render([portrait] * batch, concatenate([driven[:batch]])):
        cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420)
    figures.picture_ms.append(drawing.wall_s * 1000 / batch)
    figures.pictures.append(_cost(engine, config, drawing).times(FPS / batch))


def _cost(engine: Engine, config: EngineConfig, watch: _Watch) -> SecondCost:
    """On a CPU the worker's time is CPU time, which other programs' load does not lengthen."""
    cpu_s = watch.cpu_s
    return SecondCost(watch.wall_s if engine.device == "cuda" else cpu_s / config.threads, cpu_s)


def _least(costs: list[SecondCost]) -> SecondCost:
    return min(costs, key=lambda cost: cost.worker_s)
