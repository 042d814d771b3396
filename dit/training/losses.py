"""What the network is taught: x0 of flow matching, and the lips once more, as they are judged.

The loss is on x0 in the layout's normalised units. A viewer reads the lips first: how far they
open, how wide they are, and whether they meet where they must.
"""

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor, nn

from dit.layout import MotionLayout, channels_of
from dit.lip_events import SHUT_UNITS
from dit.training.config import LossConfig
from models.shapes import FloatArray

LIP_SPREAD_UNITS = 7.0  # of opening and width in the training clips, canonical units
SPOKEN_UNITS = 6.0  # lips that open this far close by are speaking
SPOKEN_FRAMES = 4  # how far "close by" is


@dataclass(frozen=True, slots=True)
class LossTerms:
    """Weighted parts of the loss, scalars; ``total`` is their sum."""

    motion: Tensor
    velocity: Tensor
    opening: Tensor
    width: Tensor
    closure: Tensor

    @property
    def total(self) -> Tensor:
        """What is minimised."""
        return self.motion + self.velocity + self.opening + self.width + self.closure

    def detached(self) -> Tensor:
        """Total and parts [6], for the log; names: ``TERM_NAMES``."""
        parts = [getattr(self, f.name) for f in fields(self)]
        return torch.stack([self.total, *parts]).detach()


TERM_NAMES = ("total", *(f.name for f in fields(LossTerms)))


class MotionLoss(nn.Module):
    """Means over all windows and frames, so that ranks with equal batches average exactly."""

    weight: Tensor
    readout: Tensor
    offset: Tensor

    def __init__(self, config: LossConfig, layout: MotionLayout) -> None:
        super().__init__()
        self._config = config
        weight = np.ones(len(layout.mean), np.float32)
        weight[channels_of(layout.parts.mouth)] = config.mouth
        readout, offset = lip_readout(layout)
        self.register_buffer("weight", torch.from_numpy(weight / weight.mean()))
        self.register_buffer("readout", torch.from_numpy(readout / LIP_SPREAD_UNITS))
        self.register_buffer("offset", torch.from_numpy(offset / LIP_SPREAD_UNITS))

    def forward(self, predicted: Tensor, target: Tensor) -> LossTerms:
        """predicted, target: [B, T, M]"""
        config = self._config
        error = predicted.float() - target
        step = error[:, 1:] - error[:, :-1]
        lips = error @ self.readout  # [B, T, 2]
        true_opening = (target @ self.readout + self.offset)[..., 0]  # [B, T]
        # pressed lips are no fault, open ones are
        excess = torch.relu(lips[..., 0]) * must_meet(true_opening * LIP_SPREAD_UNITS)
        return LossTerms(
            motion=(self.weight * error**2).mean(),
            velocity=config.velocity * (self.weight * step**2).mean(),
            opening=config.opening * (lips[..., 0] ** 2).mean(),
            width=config.width * (lips[..., 1] ** 2).mean(),
            closure=config.closure * (excess**2).mean(),
        )


def must_meet(opening: Tensor) -> Tensor:
    """Where lips are shut in the middle of speech: /p b m/, mostly.

    opening: [B, T] canonical units -> [B, T], 1 there and 0 elsewhere; also 0 where silence is
    shut, which is most shut frames and the easiest.
    """
    spoken = torch.nn.functional.max_pool1d(
        opening[:, None], 2 * SPOKEN_FRAMES + 1, stride=1, padding=SPOKEN_FRAMES
    )[:, 0]
    return ((opening < SHUT_UNITS) & (spoken > SPOKEN_UNITS)).to(opening.dtype)


def lip_readout(layout: MotionLayout) -> tuple[FloatArray, FloatArray]:
    """Matrix [M, 2] and offset [2] from normalised vectors to lip opening and width against rest.

    Canonical units. Only the lite engine's keypoints have lips of their own; elsewhere both are
    zero.
    """
    readout = np.zeros((len(layout.mean), 2), np.float32)
    offset = np.zeros(2, np.float32)
    if layout.engine != "lite":
        return readout, offset
    for column, (high, low, axis) in enumerate(((5, 4, 1), (1, 0, 0))):
        for keypoint, sign in ((high, 1.0), (low, -1.0)):
            channel = channels_of((keypoint,))[axis]
            readout[channel, column] = sign * layout.spread[channel]
            offset[column] += sign * layout.mean[channel]
    return readout, offset
