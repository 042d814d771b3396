"""Ditto's windows: drawing 80 frames, joining them to those before, and what the numbers mean.

Source: ``Audio2Motion`` and ``LMDM`` of the official ``core``. Nothing here hears a voice: the
network's speech features (HuBERT, 1024) come from an ONNX file of 1.5 GB that is not supported.
"""

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from dit.published.ditto import CONDITION_CHANNELS, FRAMES, MOTION_CHANNELS, DittoNetwork
from dit.sampler import Predictor, TableSchedule, cosine_alpha_bars, guided, sample
from models.device import DevicePolicy, compile_network
from models.errors import MissingWeightsError, WeightsError
from models.motion import Motion
from models.shapes import KEYPOINTS, AnyArray, FloatArray

GUIDANCE = 2.0
POSE_CHANNELS = 202  # scale, pitch, yaw, roll, t
_BINS = 66  # of an angle: 3 degrees each, from -97.5 on
SCHEDULE = TableSchedule(cosine_alpha_bars(1000))  # its entry t + 1 is the official time t

StepNoise = Callable[[int, tuple[int, ...]], FloatArray]


@dataclass(frozen=True, slots=True)
class Joining:
    """How windows follow one another. The defaults are those of whole files; streams overlap by 70
    with ``online`` on."""

    overlap: int = 10
    online: bool = False
    steps: int = 50

    def __post_init__(self) -> None:
        if not 1 <= self.overlap < FRAMES:
            raise ValueError(f"overlap is {self.overlap}; accepted: 1 to {FRAMES - 1}")

    @property
    def new_frames(self) -> int:
        """By how much each window goes on."""
        return FRAMES - self.overlap

    @property
    def faded_frames(self) -> int:
        """How many of the shared frames lead from one window into the next."""
        return min(self.overlap, self.new_frames) if self.online else self.overlap


class DittoWindows:
    """The network on a device. One window at a time."""

    def __init__(self, network: DittoNetwork, policy: DevicePolicy) -> None:
        examples = (
            torch.zeros(2, FRAMES, MOTION_CHANNELS),
            torch.zeros(2, MOTION_CHANNELS),
            torch.zeros(2, FRAMES, CONDITION_CHANNELS),
            torch.zeros(2, dtype=torch.int64),
            torch.zeros(2, dtype=torch.bool),
        )
        self._network = compile_network(network, examples, policy, "ditto-motion")

    def draw(
        self,
        condition: FloatArray,
        frame: FloatArray,
        noise: FloatArray,
        step_noise: StepNoise,
        steps: int = 50,
        eta: float = 1.0,
    ) -> FloatArray:
        """condition [80, 1103], the frame to go on from [265], noise [80, 265] -> [80, 265]."""
        times = SCHEDULE.times(steps)
        predict = guided(self._predictor(condition, frame), GUIDANCE)
        drawn: FloatArray = sample(
            predict, noise[None], SCHEDULE, times, eta=eta, step_noise=step_noise
        )[0]
        return drawn

    def _predictor(self, condition: FloatArray, frame: FloatArray) -> Predictor:
        frames, conditions = (np.stack([x, x]) for x in (frame, condition))
        heard = np.array([True, False])

        def predict(x: FloatArray, t: float) -> FloatArray:
            step: AnyArray = np.full(2, SCHEDULE.entry(t) - 1, np.int64)
            return self._network(x, frames, conditions, step, heard)

        return predict


def joined(sequence: FloatArray, window: FloatArray, joining: Joining) -> FloatArray:
    """Frames so far [T, 265] (none at first) and the next window [80, 265] -> [T + new, 265].

    The shared frames are cross-faded; then the pose around the joint is a mean of 3 frames.
    """
    if not len(sequence):
        return _steadied(window, 0, FRAMES)
    faded = joining.faded_frames
    share = (np.arange(faded, dtype=np.float32) / faded)[:, None]
    shared = window[joining.overlap - faded : joining.overlap]
    fused = sequence[-faded:] * (1 - share) + shared * share
    longer = np.concatenate([sequence[:-faded], fused, window[joining.overlap :]])
    new_from = len(longer) - joining.new_frames
    return _steadied(longer, new_from - faded, new_from + 1)


def next_frame(sequence: FloatArray, source: FloatArray, joining: Joining) -> FloatArray:
    """What the next window goes on from [265]: the pose of the last frame before it; the
    expression is always the ``source``'s [265], so that the face does not drift."""
    frame = source.copy()
    frame[:POSE_CHANNELS] = sequence[len(sequence) - joining.overlap - 1, :POSE_CHANNELS]
    return frame


def motion_of(vectors: FloatArray) -> Motion:
    """Network frames [T, 265] -> motion as the motion extractor would measure it."""
    angles = vectors[:, 1 : 1 + 3 * _BINS].reshape(-1, 3, _BINS).astype(np.float64)
    odds = np.exp(angles - angles.max(-1, keepdims=True))
    odds /= odds.sum(-1, keepdims=True)
    degrees = (odds @ np.arange(_BINS) * 3 - 97.5).astype(np.float32)
    exp = vectors[:, POSE_CHANNELS:].reshape(-1, KEYPOINTS, 3)
    t = vectors[:, POSE_CHANNELS - 3 : POSE_CHANNELS]
    return Motion(degrees[:, 0], degrees[:, 1], degrees[:, 2], t, 1 + vectors[:, 0], exp)


def load_ditto(path: Path) -> DittoNetwork:
    """``lmdm_v0.4_hubert.pth``, read without running anything in it, in evaluation mode.

    Raises MissingWeightsError, and WeightsError for another file.
    """
    if not path.is_file():
        raise MissingWeightsError(f"{path} is missing; it is in digital-avatar/ditto-talkinghead")
    network = DittoNetwork()
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        network.load_state_dict(content["model_state_dict"])
    except (
        *(pickle.UnpicklingError, RuntimeError, EOFError, OSError),
        *(ValueError, KeyError, TypeError, AttributeError),
    ) as error:
        reason = str(error).split("\n", 1)[0]
        raise WeightsError(f"{path} is no motion network of Ditto: {reason}") from error
    return network.eval().requires_grad_(False)


def _steadied(sequence: FloatArray, start: int, end: int) -> FloatArray:
    steady = sequence.copy()
    for frame in range(start, end):
        around = sequence[max(0, frame - 1) : frame + 2, :POSE_CHANNELS]
        steady[frame, :POSE_CHANNELS] = around.mean(0)
    return steady
