"""Training of the motion network: exact resume, EMA, checks on people left out.

Every step mixes windows of real clips with windows of synthetic speech. The loss is on x0, in the
layout's normalised units, with the lips weighted up and their opening and width counted once more:
a viewer reads those two first.
"""

import json
import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dit.checkpoint import MotionCheckpoint, Sampling, save_checkpoint
from dit.condition import VoiceProjection
from dit.dataset import (
    Batch,
    Masking,
    Sequence,
    SpokenItem,
    WindowSampler,
    joined,
    synthetic_sequences,
)
from dit.lagged_correlation import pearson
from dit.layout import MotionLayout, channels_of
from dit.model import MotionDiT, NetworkConfig
from dit.schedule import warmup_cosine
from dit.synthetic import MouthBasis
from models.errors import WeightsError
from models.motion import Motion
from models.shapes import FloatArray
from models.timing import CONTEXT_FRAMES, NEW_FRAMES

STATE_FILE = "state.pt"


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Sizes and rates of a training run."""

    steps: int = 6000
    batch: int = 48
    real_share: float = 0.35
    learning_rate: float = 8e-4
    warmup_steps: int = 200
    weight_decay: float = 0.02
    clip_norm: float = 1.0
    ema_decay: float = 0.998
    short_window_frames: int = 15  # live windows; chunk windows are NEW_FRAMES long
    long_window_share: float = 0.2
    mouth_weight: float = 3.0
    lip_weight: float = 1.0  # opening and width once more
    velocity_weight: float = 0.5
    resynthesise_every: int = 400
    validate_every: int = 250
    seed: int = 1
    masking: Masking = field(default_factory=Masking)


@dataclass(frozen=True)
class TrainingData:
    """What is trained on: sequences of real clips, and speech to synthesise motion for."""

    layout: MotionLayout
    projection: VoiceProjection
    encoder: str
    real: list[Sequence]
    spoken: list[SpokenItem]
    bodies: list[Motion]
    basis: MouthBasis
    validation: list[Sequence]


class Trainer:
    """A run that can be stopped after any step and resumed as if it had not been."""

    def __init__(self, config: TrainConfig, network: NetworkConfig, data: TrainingData) -> None:
        self.config, self.data = config, data
        torch.manual_seed(config.seed)
        self.rng = np.random.default_rng(config.seed)
        self.network = MotionDiT(network)
        self.ema = deepcopy(self.network).eval().requires_grad_(False)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(),
            lr=config.learning_rate,
            betas=(0.9, 0.98),
            weight_decay=config.weight_decay,
        )
        self.step = 0
        self.best = -math.inf
        self._real = WindowSampler(data.real, self.rng)
        self._synthetic: WindowSampler | None = None
        self._loss = MotionLoss(config, data.layout)

    def run(self, out: Path, report: Callable[[dict[str, float]], None]) -> None:
        """Train to the last step. Writes the state and the best checkpoint into ``out``."""
        losses: list[float] = []
        while self.step < self.config.steps:
            losses.append(self.train_step())
            last = self.step == self.config.steps
            if self.step % self.config.validate_every == 0 or last:
                scores = validate(self.ema, self.data.layout, self.data.validation)
                report({"step": self.step, "loss": float(np.mean(losses)), **scores})
                losses.clear()
                score = scores["gap_r"] + scores["width_r"]
                if score > self.best:
                    self.best = score
                    save_checkpoint(self.checkpoint(), out / "best")
                save_checkpoint(self.checkpoint(), out / "last")
                self.save(out)

    def checkpoint(self) -> MotionCheckpoint:
        """The averaged network as it is now."""
        return MotionCheckpoint(
            self.ema, self.data.layout, self.data.projection, self.data.encoder, Sampling()
        )

    def train_step(self) -> float:
        """One update -> its loss."""
        config = self.config
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(config, self.step)
        batch = self._draw()
        # most windows near pure noise: there the voice has to do the work
        time = torch.from_numpy(np.sqrt(self.rng.random(len(batch.target), np.float32)))
        noise = torch.from_numpy(self.rng.standard_normal(batch.target.shape, np.float32))
        share = time[:, None, None]
        noisy = (1 - share) * batch.target + share * noise
        self.network.train()
        predicted = self.network(noisy, time, batch.condition, batch.context)
        loss = self._loss(predicted, batch.target)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), config.clip_norm)
        self.optimizer.step()
        self.step += 1
        self._average()
        return float(loss.detach())

    def _draw(self) -> Batch:
        """A batch of one window length: synthetic sequences are rendered anew now and then."""
        config = self.config
        if self.data.spoken and (
            self._synthetic is None or self.step % config.resynthesise_every == 0
        ):
            # from the step alone, so that a resumed run renders the same
            rng = np.random.default_rng((config.seed, self.step // config.resynthesise_every))
            data = self.data
            sequences = synthetic_sequences(data.spoken, data.bodies, data.basis, data.layout, rng)
            if self._synthetic is None:
                self._synthetic = WindowSampler(sequences, self.rng)
            self._synthetic.replace(sequences)
        long = self.rng.random() < config.long_window_share
        frames = NEW_FRAMES if long else config.short_window_frames
        count = max(2, round(config.batch * config.short_window_frames / frames))
        real = count if self._synthetic is None else max(1, round(count * config.real_share))
        batch = self._real.draw(real, frames, config.masking)
        if self._synthetic is None:
            return batch
        return joined(batch, self._synthetic.draw(count - real, frames, config.masking))

    def _average(self) -> None:
        decay = min(self.config.ema_decay, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for kept, new in zip(self.ema.parameters(), self.network.parameters(), strict=True):
                kept.lerp_(new, 1 - decay)

    def save(self, out: Path) -> None:
        """Everything a resumed run needs, into ``out/state.pt``."""
        out.mkdir(parents=True, exist_ok=True)
        state = {
            "config": json.dumps(asdict(self.config)),
            "step": self.step,
            "best": self.best,
            "network": self.network.state_dict(),
            "ema": self.ema.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "torch_rng": torch.get_rng_state(),
            "numpy_rng": json.dumps(self.rng.bit_generator.state),
        }
        part = out / f"{STATE_FILE}.part"
        torch.save(state, part)
        part.replace(out / STATE_FILE)

    def resume(self, out: Path) -> None:
        """Go on where ``save`` left off. Raises WeightsError when the run had other settings."""
        state: dict[str, Any] = torch.load(out / STATE_FILE, weights_only=True)
        if state["config"] != json.dumps(asdict(self.config)):
            raise WeightsError(f"{out} was trained with other settings; choose another folder")
        self.step, self.best = int(state["step"]), float(state["best"])
        self.network.load_state_dict(state["network"])
        self.ema.load_state_dict(state["ema"])
        self.optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["torch_rng"])
        self.rng.bit_generator.state = json.loads(state["numpy_rng"])
        if self.data.spoken and self.step % self.config.resynthesise_every:
            period = self.step // self.config.resynthesise_every
            rng = np.random.default_rng((self.config.seed, period))
            data = self.data
            sequences = synthetic_sequences(data.spoken, data.bodies, data.basis, data.layout, rng)
            self._synthetic = WindowSampler(sequences, self.rng)


class MotionLoss:
    """Weighted squared error of x0, its velocity, and the lips' opening and width."""

    def __init__(self, config: TrainConfig, layout: MotionLayout) -> None:
        self._config = config
        weight = np.ones(len(layout.mean), np.float32)
        weight[channels_of(layout.parts.mouth)] = config.mouth_weight
        self._weight = torch.from_numpy(weight / weight.mean())
        self._lips = torch.from_numpy(lip_readout(layout))

    def __call__(self, predicted: Tensor, target: Tensor) -> Tensor:
        """predicted, target: [B, T, M] -> scalar"""
        error = predicted - target
        loss = (self._weight * error**2).mean()
        step = error[:, 1:] - error[:, :-1]
        loss = loss + self._config.velocity_weight * (self._weight * step**2).mean()
        lips = error @ self._lips
        return loss + self._config.lip_weight * (lips**2).mean()


def lip_readout(layout: MotionLayout) -> FloatArray:
    """Matrix [M, 2] from normalised vectors to lip opening and width, over their usual spread.

    Only the lite engine's keypoints have lips of their own; elsewhere it is zero.
    """
    readout = np.zeros((len(layout.mean), 2), np.float32)
    if layout.engine != "lite":
        return readout
    for column, (high, low, axis) in enumerate(((5, 4, 1), (1, 0, 0))):
        for keypoint, sign in ((high, 1.0), (low, -1.0)):
            channel = channels_of((keypoint,))[axis]
            readout[channel, column] = sign * layout.spread[channel] / LIP_SPREAD_UNITS
    return readout


LIP_SPREAD_UNITS = 7.0  # of opening and width in the training clips, canonical units


def learning_rate(config: TrainConfig, step: int) -> float:
    """Linear warm-up, then half a cosine to a twentieth."""
    share = warmup_cosine(step, config.warmup_steps, config.steps, floor=0.05)
    return config.learning_rate * share


def validate(
    network: MotionDiT, layout: MotionLayout, sequences: list[Sequence]
) -> dict[str, float]:
    """Median Pearson r over clips of people left out, of lip opening and width, from the voice
    alone (no context, one step from zero noise): quick, and blind to memorised faces."""
    readout = lip_readout(layout)
    scores: list[tuple[float, float]] = []
    for sequence in sequences:
        guess = predict_clip(network, sequence.condition) @ readout
        truth = sequence.motion @ readout
        scores.append((pearson(guess[:, 0], truth[:, 0]), pearson(guess[:, 1], truth[:, 1])))
    gap_r, width_r = np.median(np.array(scores), axis=0)
    return {"gap_r": float(gap_r), "width_r": float(width_r)}


def predict_clip(network: MotionDiT, condition: FloatArray) -> FloatArray:
    """The network's mean motion [T, M] for a clip's condition [T, C + 1]."""
    padded = np.pad(condition, ((CONTEXT_FRAMES, 0), (0, 0)))
    channels = network.config.motion_channels
    with torch.inference_mode():
        x0: Tensor = network.eval()(
            torch.zeros(1, len(condition), channels),
            torch.ones(1),
            torch.from_numpy(padded[None].astype(np.float32)),
            torch.zeros(1, CONTEXT_FRAMES, channels + 1),
        )
    guess: FloatArray = x0[0].numpy()
    return guess
