"""The loop: a batch, a step, now and then a look at people left out.

Flow matching (Lipman et al., arXiv 2210.02747) on straight lines x_t = (1 - t) x0 + t noise; the
network predicts x0 (dit/model.py).
"""

from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from dit.checkpoint import MotionCheckpoint, Sampling, save_checkpoint
from dit.model import MotionDiT, NetworkConfig
from dit.schedule import warmup_cosine
from dit.style import STYLE_CHANNELS
from dit.training.batches import Mixture, Share, batches
from dit.training.config import OptimizerConfig, TrainConfig
from dit.training.distributed import Place, averaged, shared_between_ranks, wait_for_all
from dit.training.log import TrainingLog
from dit.training.losses import TERM_NAMES, MotionLoss
from dit.training.state import TrainState, ema_of, load_state, save_state
from dit.training.training_set import TrainingSet
from dit.training.validation import Scores, validate
from dit.training.windows import Batch

RATE_FLOOR = 0.05
BETAS = (0.9, 0.98)


@dataclass
class Averages:
    """Sums since the last report."""

    terms: Tensor | None = None  # of TERM_NAMES, and the gradient's norm
    steps: int = 0

    def add(self, terms: Tensor) -> None:
        """One step's."""
        self.terms = terms if self.terms is None else self.terms + terms
        self.steps += 1

    def take(self, place: Place) -> dict[str, float]:
        """Means over steps and ranks by name; starts anew."""
        assert self.terms is not None
        means = averaged(self.terms / self.steps, place).tolist()
        self.terms, self.steps = None, 0
        names = [f"loss/{name}" for name in TERM_NAMES] + ["gradient_norm"]
        return dict(zip(names, means, strict=True))


@dataclass
class Trainer:
    """A run that can be stopped at any time and resumed from its last saved state."""

    config: TrainConfig
    data: TrainingSet
    place: Place = field(default_factory=Place)

    def __post_init__(self) -> None:
        config, device = self.config, self.place.device
        torch.manual_seed(config.seed)  # the same weights on all ranks ...
        network = MotionDiT(network_config(config, self.data)).to(device)
        torch.manual_seed(config.seed + self.place.rank)  # ... and other dropout
        optimizer = torch.optim.AdamW(
            network.parameters(),
            lr=config.optimizer.learning_rate,
            betas=BETAS,
            weight_decay=config.optimizer.weight_decay,
            fused=True,
        )
        self.state = TrainState(network, ema_of(network), optimizer)
        self._loss = MotionLoss(config.losses, self.data.layout).to(device)
        shared = shared_between_ranks(network, self.place)
        self._network = torch.compile(shared) if config.run.compile else shared
        self._averages = Averages()

    def resume(self, out: Path) -> None:
        """Go on with the run in ``out``; raises WeightsError when it was another one."""
        load_state(self.state, out, self.config.fingerprint(), self.place)

    def run(self, out: Path, log: TrainingLog, until: int | None = None) -> None:
        """Train up to step ``until``, or the last one. Fills ``out`` with state and checkpoints."""
        state, run = self.state, self.config.run
        last = min(self.config.steps, until or self.config.steps)
        share = Share(self.place.rank, self.place.world)
        data, config = self.data, self.config
        mixture = Mixture(data.clips, data.speech, config.data, config.masking, config.seed, share)
        pin = self.place.device.type == "cuda"
        for batch in batches(mixture, state.step, last, pin):
            self._averages.add(self.train_step(batch))
            done = state.step == last
            if state.step % run.log_every == 0 or done:
                log.steps(state.step, self._averages.take(self.place), self._rate())
            if state.step % run.validate_every == 0 or done:
                self._look(out, log)
            if state.step % run.save_every == 0 or done:
                save_state(state, out, config.fingerprint(), self.place)

    def train_step(self, batch: Batch) -> Tensor:
        """One update -> loss terms and the gradient's norm [7]."""
        assert batch.step == self.state.step, "batches must come in order"
        config, state = self.config.optimizer, self.state
        for group in state.optimizer.param_groups:
            group["lr"] = self._rate()
        batch = batch.to(self.place.device)
        share = batch.time[:, None, None]
        noisy = (1 - share) * batch.target + share * batch.noise
        style = batch.style if self.config.network.style else None
        state.network.train()
        with torch.autocast(
            self.place.device.type, torch.bfloat16, enabled=config.precision == "bf16"
        ):
            predicted = self._network(noisy, batch.time, batch.condition, batch.context, style)
        terms = self._loss(predicted, batch.target)
        state.optimizer.zero_grad(set_to_none=True)
        terms.total.backward()
        norm = nn.utils.clip_grad_norm_(state.network.parameters(), config.clip_norm)
        state.optimizer.step()
        state.step += 1
        state.average(config.ema_decay)
        return torch.cat([terms.detached(), norm.detach()[None]])

    def checkpoint(self) -> MotionCheckpoint:
        """The averaged network as it is now, on the CPU."""
        # a copy, not a new network: making one would draw from dropout's random numbers
        network, data = deepcopy(self.state.ema).cpu(), self.data
        return MotionCheckpoint(network, data.layout, data.projection, data.encoder, Sampling())

    def _rate(self) -> float:
        return learning_rate(self.config.optimizer, self.state.step, self.config.steps)

    def _look(self, out: Path, log: TrainingLog) -> None:
        """Score the averaged network on people left out; keep the best one and the last one."""
        if self.place.first:
            data = self.data
            scores = validate(self.state.ema, data.layout, data.validation, data.unseen_speech)
            log.scores(self.state.step, scores)
            self._keep(out, scores)
        wait_for_all(self.place)

    def _keep(self, out: Path, scores: Scores) -> None:
        checkpoint = self.checkpoint()
        if scores.total > self.state.best:
            self.state.best = scores.total
            save_checkpoint(checkpoint, out / "best")
        save_checkpoint(checkpoint, out / "last")


def network_config(config: TrainConfig, data: TrainingSet) -> NetworkConfig:
    """Sizes of the settings, channels of the data."""
    sizes = config.network
    return NetworkConfig(
        len(data.layout.mean),
        data.projection.channels,
        width=sizes.width,
        layers=sizes.layers,
        heads=sizes.heads,
        mlp_ratio=sizes.mlp_ratio,
        dropout=sizes.dropout,
        style_channels=STYLE_CHANNELS if sizes.style else 0,
    )


def learning_rate(config: OptimizerConfig, step: int, steps: int) -> float:
    """Linear warm-up, then half a cosine to a twentieth."""
    share = warmup_cosine(step, config.warmup_steps, steps, floor=RATE_FLOOR)
    return config.learning_rate * share
