"""How the lips of people left out follow their voice, quickly enough to be asked every minute.

The network's mean motion is looked at: one pass at pure noise set to zero, no context. That is
blind to memorised faces. ``python -m dit evaluate`` judges what a viewer would see.
"""

from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor

from dit.lagged_correlation import LaggedCorrelation, lagged_pearson
from dit.layout import MotionLayout
from dit.lip_events import (
    CLOSURES,
    EYE_DISTANCE_UNITS,
    SHUT_UNITS,
    SILENT_SHUT,
    silent_frames,
    spans,
)
from dit.model import MotionDiT
from dit.training.losses import lip_readout
from dit.training.sequences import Sequence, SpokenItem
from models.shapes import FloatArray
from models.timing import CONTEXT_FRAMES

MOST_ITEMS = 12  # of unseen speech
CLOSURE_SHARE = 0.5  # of the score


@dataclass(frozen=True, slots=True)
class Scores:
    """Medians over clips, and shares of unseen synthetic speech; NaN where there is none."""

    gap_r: float  # Pearson r at the best lag within 2 frames, of the lips' opening
    width_r: float
    gap_lag_frames: float  # mean of the clips' best lags; above 0 the lips are late
    closures_shut: float  # share of /p b m/ with lips together
    silence_shut: float  # share of silent frames with lips all but shut

    @property
    def total(self) -> float:
        """What checkpoints are chosen by."""
        known = [self.gap_r, self.width_r, CLOSURE_SHARE * self.closures_shut]
        return float(np.nansum(known))

    def named(self) -> dict[str, float]:
        """By name, with ``score``."""
        return {**asdict(self), "score": self.total}


def validate(
    network: MotionDiT, layout: MotionLayout, clips: list[Sequence], speech: list[SpokenItem]
) -> Scores:
    """Score a network on clips of people left out and on speech items left out."""
    lips = LipPrediction(network, layout)
    gaps: list[LaggedCorrelation] = []
    widths: list[LaggedCorrelation] = []
    for clip in clips:
        guess, truth = lips(clip.condition), lips.read(clip.motion)
        gaps.append(lagged_pearson(guess[:, 0], truth[:, 0]))
        widths.append(lagged_pearson(guess[:, 1], truth[:, 1]))
    shut: list[bool] = []
    silent: list[bool] = []
    for item in speech[:MOST_ITEMS]:
        known = np.ones((len(item.condition), 1), np.float32)
        opening = lips(np.concatenate([item.condition, known], 1))[:, 0]
        shut += [bool(opening[s].min() < SHUT_UNITS) for s in spans(item.times, CLOSURES)]
        quiet = opening[silent_frames(item.times, len(opening))]
        silent += (quiet < SILENT_SHUT * EYE_DISTANCE_UNITS).tolist()
    return Scores(
        _middle([g.r for g in gaps]),
        _middle([w.r for w in widths]),
        float(np.mean([g.lag_frames for g in gaps])) if gaps else float("nan"),
        float(np.mean(shut)) if shut else float("nan"),
        float(np.mean(silent)) if silent else float("nan"),
    )


class LipPrediction:
    """Opening and width [T, 2] in canonical units, as a network has them for a voice."""

    def __init__(self, network: MotionDiT, layout: MotionLayout) -> None:
        self._network, (self._readout, self._offset) = network, lip_readout(layout)

    def __call__(self, condition: FloatArray) -> FloatArray:
        """condition: [T, C + 1]"""
        return self.read(predict_clip(self._network, condition))

    def read(self, vectors: FloatArray) -> FloatArray:
        """Off normalised motion [T, M]."""
        lips: FloatArray = vectors @ self._readout + self._offset
        return lips


def predict_clip(network: MotionDiT, condition: FloatArray) -> FloatArray:
    """The network's mean motion [T, M] for a clip's condition [T, C + 1]."""
    padded = np.pad(condition, ((CONTEXT_FRAMES, 0), (0, 0)))
    channels = network.config.motion_channels
    weight = next(network.parameters())
    with torch.inference_mode():
        x0: Tensor = network.eval()(
            weight.new_zeros(1, len(condition), channels),
            weight.new_ones(1),
            torch.from_numpy(padded[None].astype(np.float32)).to(weight),
            weight.new_zeros(1, CONTEXT_FRAMES, channels + 1),
        )
    guess: FloatArray = x0[0].float().cpu().numpy()
    return guess


def _middle(values: list[float]) -> float:
    return float(np.median(values)) if values else float("nan")
