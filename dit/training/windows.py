"""Cutting and masking of training windows, the way streaming will need them.

A window depends on its sequence and its own random numbers alone. Those come from (seed, step,
row), never from a state, so that a batch is the same however many ranks and workers share it, and
a resumed run needs nothing but the number of its next step.
"""

from collections.abc import Sequence as Several
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dit.training.config import Masking
from dit.training.sequences import Sequence
from models.shapes import FloatArray
from models.timing import CONTEXT_FRAMES


@dataclass(frozen=True, slots=True)
class Window:
    """10 + T frames; masks are already applied."""

    target: FloatArray  # [T, M]
    condition: FloatArray  # [10 + T, C + 1]
    context: FloatArray  # [10, M + 1]
    style: FloatArray  # [3 M + 1], the last channel says whether it is known
    time: float  # of the flow, 0..1
    noise: FloatArray  # [T, M]


@dataclass(frozen=True, slots=True)
class Batch:
    """B windows of the same length."""

    step: int
    target: Tensor  # [B, T, M]
    condition: Tensor  # [B, 10 + T, C + 1]
    context: Tensor  # [B, 10, M + 1]
    style: Tensor  # [B, 3 M + 1]
    time: Tensor  # [B]
    noise: Tensor  # [B, T, M]

    def pin_memory(self) -> "Batch":
        """For copies to a GPU in the background; called by torch's DataLoader."""
        return Batch(self.step, *(t.pin_memory() for t in self.tensors()))

    def to(self, device: torch.device) -> "Batch":
        """On another device."""
        return Batch(self.step, *(t.to(device, non_blocking=True) for t in self.tensors()))

    def tensors(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
        """All tensors in the order of the fields."""
        return (self.target, self.condition, self.context, self.style, self.time, self.noise)


def cut(sequence: Sequence, new_frames: int, masking: Masking, rng: np.random.Generator) -> Window:
    """10 + ``new_frames`` frames from a random place of a sequence."""
    length = CONTEXT_FRAMES + new_frames
    start = int(rng.integers(max(1, len(sequence.motion) - length + 1)))
    motion = _held(sequence.motion, start, length)
    target = motion[CONTEXT_FRAMES:]
    style_known = rng.random() >= masking.no_style
    return Window(
        target,
        _masked_condition(_held(sequence.condition, start, length), masking, rng),
        _masked_context(motion[:CONTEXT_FRAMES], masking, rng),
        np.append(sequence.style, np.float32(1.0)) * np.float32(style_known),
        # most windows near pure noise: there the voice has to do the work
        float(np.sqrt(rng.random())),
        rng.standard_normal(target.shape, np.float32),
    )


def _masked_condition(
    condition: FloatArray, masking: Masking, rng: np.random.Generator
) -> FloatArray:
    """[10 + T, C + 1] with noise, and parts of it unknown."""
    frames, channels = condition.shape
    if rng.random() < masking.no_voice:
        return np.zeros_like(condition)
    heard_until = frames
    if rng.random() < masking.late_voice:
        heard_until = int(rng.integers(CONTEXT_FRAMES, frames + 1))
    masked = np.zeros_like(condition)
    voice = condition[:heard_until, :-1]
    voice = voice + masking.voice_noise * rng.standard_normal(voice.shape, np.float32)
    kept = rng.random(channels - 1) >= masking.voice_dropout
    known = condition[:heard_until, -1:]
    masked[:heard_until, :-1] = voice * kept * known
    masked[:heard_until, -1:] = known
    return masked


def _masked_context(seen: FloatArray, masking: Masking, rng: np.random.Generator) -> FloatArray:
    """[10, M] -> [10, M + 1]: with noise of a random strength, or unknown."""
    context = np.zeros((len(seen), seen.shape[1] + 1), np.float32)
    if rng.random() >= masking.no_context:
        spread = np.float32(masking.context_noise * rng.random())
        context[:, :-1] = seen + spread * rng.standard_normal(seen.shape, np.float32)
        context[:, -1] = 1.0
    return context


def batch_of(step: int, windows: Several[Window]) -> Batch:
    """Windows of one length as tensors."""

    def stacked(name: str) -> Tensor:
        return torch.from_numpy(np.stack([getattr(w, name) for w in windows]))

    return Batch(
        step,
        stacked("target"),
        stacked("condition"),
        stacked("context"),
        stacked("style"),
        torch.tensor([w.time for w in windows], dtype=torch.float32),
        stacked("noise"),
    )


def _held(values: FloatArray, start: int, length: int) -> FloatArray:
    """Rows from ``start``; the last one is repeated where a clip is too short."""
    piece = values[start : start + length]
    if len(piece) == length:
        return piece
    return np.pad(piece, ((0, length - len(piece)), (0, 0)), mode="edge")
