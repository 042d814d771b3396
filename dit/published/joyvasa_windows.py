"""One window of JoyVASA: what is heard of 4 s of voice, and 100 frames of motion drawn for it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from dit.planner import frame_noise
from dit.published.joyvasa import FRAMES, MOTION_CHANNELS, PREVIOUS_FRAMES, WIDTH, DenoisingNetwork
from dit.published.joyvasa_audio import VoiceFeatures, example_window, padded_window
from dit.published.joyvasa_checkpoint import JoyvasaCheckpoint
from dit.sampler import Predictor, guided, sample
from models.device import DEFAULT_CACHE_DIR, DevicePolicy, compile_network
from models.errors import ConfigError
from models.shapes import AnyArray, FloatArray


@dataclass(frozen=True, slots=True)
class JoyvasaSampling:
    """How motion is drawn. The defaults are the published ones: the whole chain with its noise.

    Raises ConfigError outside the ranges.
    """

    steps: int = 50
    eta: float = 1.0  # 1: ancestral sampling, fresh noise in every step; 0: none, for few steps
    guidance: float = 2.8
    smooth_pose: bool = True
    lookahead_frames: int = 5  # in live mode: voice beyond a hop, which is drawn and led over from

    def __post_init__(self) -> None:
        if not 1 <= self.steps <= 50:
            raise ConfigError(f"joyvasa.steps is {self.steps}; accepted: 1 to 50")
        if not 0.0 <= self.eta <= 1.0:
            raise ConfigError(f"joyvasa.eta is {self.eta}; accepted: 0 to 1")
        if not (np.isfinite(self.guidance) and self.guidance >= 0.0):
            raise ConfigError(f"joyvasa.guidance is {self.guidance}; accepted: 0 and more")


class WindowNoise(Protocol):
    """Where a window's noise comes from; the same window always gets the same."""

    def start(self, frames: range) -> FloatArray:
        """Noise [T, M] that these frames grow from."""
        ...

    def step(self, window: int, index: int, shape: tuple[int, ...]) -> FloatArray:
        """Fresh noise of a step of the window that begins at frame ``window``."""
        ...


@dataclass(frozen=True, slots=True)
class SeededNoise:
    """Noise out of a seed, by frame number and step."""

    seed: int

    def start(self, frames: range) -> FloatArray:
        return frame_noise(frames.start, len(frames), self.seed, MOTION_CHANNELS)

    def step(self, window: int, index: int, shape: tuple[int, ...]) -> FloatArray:
        key, counter = self.seed & 0xFFFFFFFFFFFFFFFF, (0, 0, index + 1, window)
        random = np.random.Generator(np.random.Philox(key=key, counter=counter))
        return random.standard_normal(shape, np.float32)


@dataclass(frozen=True, slots=True)
class Past:
    """The 10 frames before a window, as the network wants to be told of them."""

    motion: FloatArray  # [10, 73]
    voice: FloatArray  # [10, 256]


@dataclass(frozen=True, slots=True)
class WindowPlan:
    """What is drawn: ``first`` numbers the window's first frame, for its noise."""

    first: int
    start_noise: FloatArray  # [100, 73]
    held: FloatArray | None = None  # [k, 73]: the first k frames, known and kept


class JoyvasaWindows:
    """The networks of a checkpoint on a device. One window at a time."""

    def __init__(
        self,
        checkpoint: JoyvasaCheckpoint,
        policy: DevicePolicy,
        sampling: JoyvasaSampling,
        cache_dir: Path = DEFAULT_CACHE_DIR,
    ) -> None:
        self.template, self.sampling = checkpoint.template, sampling
        self._schedule = checkpoint.schedule
        network = checkpoint.network
        self.before = Past(
            network.start_motion_feat[0].numpy().copy(), network.start_audio_feat[0].numpy().copy()
        )
        self._null = network.null_audio_feat[0].numpy().copy()  # [1, 256]
        self._batch = 1 if sampling.guidance == 1.0 else 2
        self._listen = compile_network(
            VoiceFeatures(network), example_window(), policy, "joyvasa-voice", cache_dir
        )
        self._denoise = compile_network(
            NewFrames(network.denoising_net),
            NewFrames.examples(self._batch),
            policy,
            f"joyvasa-motion-{self._batch}",
            cache_dir,
        )

    def features(self, voice: FloatArray) -> FloatArray:
        """Voice [64000] -> what is heard of its 100 frames [100, 256]."""
        heard: FloatArray = self._listen(padded_window(voice)[None])[0]
        return heard

    def draw(
        self, plan: WindowPlan, heard: FloatArray, past: Past, noise: WindowNoise
    ) -> FloatArray:
        """heard [100, 256] -> network frames [100, 73]."""
        drawn: FloatArray = sample(
            self._predictor(heard, past),
            plan.start_noise[None],
            self._schedule,
            self._schedule.times(self.sampling.steps),
            eta=self.sampling.eta,
            step_noise=lambda index, shape: noise.step(plan.first, index, shape),
            held=None if plan.held is None else plan.held[None],
        )[0]
        return drawn

    def _predictor(self, heard: FloatArray, past: Past) -> Predictor:
        """The network with voice and past bound to it. Without a voice it still knows the past."""
        batch = self._batch
        voices = np.stack([heard, np.broadcast_to(self._null, heard.shape)][:batch])
        motions, past_voices = (np.repeat(p[None], batch, 0) for p in (past.motion, past.voice))

        def predict(x: FloatArray, t: float) -> FloatArray:
            step: AnyArray = np.full(len(x), self._schedule.entry(t), np.int64)
            return self._denoise(x, voices, motions, past_voices, step)

        return predict if batch == 1 else guided(predict, self.sampling.guidance)


class NewFrames(nn.Module):
    """The denoiser without its answer for the frames before the window."""

    def __init__(self, network: DenoisingNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, motion: Tensor, voice: Tensor, past_motion: Tensor, past_voice: Tensor, step: Tensor
    ) -> Tensor:
        """As ``DenoisingNetwork.forward`` -> [B, 100, 73]."""
        clean: Tensor = self.network(motion, voice, past_motion, past_voice, step)
        return clean[:, PREVIOUS_FRAMES:]

    @staticmethod
    def examples(batch: int) -> tuple[Tensor, ...]:
        """Inputs of the shapes that it is compiled for."""
        return (
            torch.zeros(batch, FRAMES, MOTION_CHANNELS),
            torch.zeros(batch, FRAMES, WIDTH),
            torch.zeros(batch, PREVIOUS_FRAMES, MOTION_CHANNELS),
            torch.zeros(batch, PREVIOUS_FRAMES, WIDTH),
            torch.ones(batch, dtype=torch.int64),
        )
