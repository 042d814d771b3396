"""Everything a training run can be told: ``configs/train/NAME.yaml``, typed and checked once."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from dit.training.typed_yaml import read_yaml, typed, with_assignments
from models.timing import NEW_FRAMES


def _shares(section: object, *names: str) -> None:
    for name in names:
        value = getattr(section, name)
        if not 0.0 <= value <= 1.0:
            raise ValueError(f"{name} is {value}; accepted: 0 to 1")


def _at_least(section: object, least: float, *names: str) -> None:
    for name in names:
        value = getattr(section, name)
        if not value >= least:  # also what is no number
            raise ValueError(f"{name} is {value}; accepted: {least:g} and more")


@dataclass(frozen=True, slots=True)
class NetworkSizes:
    """Of the transformer (dit/model.py)."""

    width: int = 128
    layers: int = 4
    heads: int = 4
    mlp_ratio: int = 3
    dropout: float = 0.15
    style: bool = False  # also condition on a speaker's style (dit/style.py)

    def __post_init__(self) -> None:
        _at_least(self, 1, "width", "layers", "heads", "mlp_ratio")
        _shares(self, "dropout")
        if self.width % self.heads or (self.width // self.heads) % 2:
            raise ValueError(f"width {self.width} does not split into {self.heads} even heads")


@dataclass(frozen=True, slots=True)
class OptimizerConfig:
    """AdamW, linear warm-up and half a cosine down to a twentieth, averaged weights."""

    learning_rate: float = 8e-4
    warmup_steps: int = 200
    weight_decay: float = 0.02
    clip_norm: float = 1.0
    ema_decay: float = 0.998
    precision: Literal["fp32", "bf16"] = "fp32"  # of the network's forward pass

    def __post_init__(self) -> None:
        _at_least(self, 0, "learning_rate", "warmup_steps", "weight_decay", "clip_norm")
        _shares(self, "ema_decay")


@dataclass(frozen=True, slots=True)
class DataConfig:
    """What a step is made of, and how clips come into memory."""

    batch: int = 48  # short windows a step, all ranks together
    real_share: float = 0.35  # of the windows; the others are synthetic speech
    short_window_frames: int = 15  # new frames of a live window; chunk windows have 65
    long_window_share: float = 0.2  # of the steps
    components: int = 16  # principal components of the encoder's embedding that are heard
    fit_clips: int = 4000  # that statistics and components are measured on
    resynthesise_every: int = 400  # steps until synthetic speech gets new speakers
    pool_tars: int = 0  # tars that a worker holds at a time; 0: the whole set, in every process
    pool_steps: int = 100  # batches of a worker until its pool is exchanged
    workers: int = 0  # processes that cut windows, for each rank; 0: in the training process

    def __post_init__(self) -> None:
        _shares(self, "real_share", "long_window_share")
        _at_least(self, 1, "batch", "components", "fit_clips", "resynthesise_every", "pool_steps")
        _at_least(self, 0, "pool_tars", "workers")
        if not 1 <= self.short_window_frames <= NEW_FRAMES:
            raise ValueError(
                f"short_window_frames is {self.short_window_frames}; accepted: 1 to {NEW_FRAMES}"
            )


@dataclass(frozen=True, slots=True)
class Masking:
    """How often a training window lacks something, so that the network can do without it."""

    no_voice: float = 0.1  # for classifier-free guidance
    late_voice: float = 0.15  # the voice of the last frames has not come yet
    no_context: float = 0.5  # the voice, not habit, shapes the mouth
    context_noise: float = 0.8  # most spread added to the context, in normalised units
    voice_noise: float = 0.4  # keeps small principal components from being learnt by heart
    voice_dropout: float = 0.1  # of single condition channels
    no_style: float = 0.3

    def __post_init__(self) -> None:
        _shares(self, "no_voice", "late_voice", "no_context", "voice_dropout", "no_style")
        _at_least(self, 0, "context_noise", "voice_noise")


@dataclass(frozen=True, slots=True)
class LossConfig:
    """Weights of the loss terms (dit/training/losses.py) beside the motion's own, which is 1."""

    mouth: float = 3.0  # how much more a mouth channel counts than another one
    velocity: float = 0.5
    opening: float = 1.0
    width: float = 1.0
    closure: float = 4.0

    def __post_init__(self) -> None:
        _at_least(self, 0, "mouth", "velocity", "opening", "width", "closure")


@dataclass(frozen=True, slots=True)
class RunConfig:
    """How the run is carried out; a resumed run may have others."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int = 1  # of the CPU, for each rank
    compile: bool = False  # torch.compile: minutes at the start, for long runs on a GPU
    log_every: int = 25
    validate_every: int = 250  # also writes the checkpoints
    save_every: int = 250  # the state that a killed run resumes from

    def __post_init__(self) -> None:
        _at_least(self, 1, "threads", "log_every", "validate_every", "save_every")


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """A whole run."""

    engine: str = "lite"
    seed: int = 1
    steps: int = 4000
    network: NetworkSizes = field(default_factory=NetworkSizes)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    data: DataConfig = field(default_factory=DataConfig)
    masking: Masking = field(default_factory=Masking)
    losses: LossConfig = field(default_factory=LossConfig)
    run: RunConfig = field(default_factory=RunConfig)

    def __post_init__(self) -> None:
        _at_least(self, 1, "steps")
        _at_least(self, 0, "seed")

    def fingerprint(self) -> str:
        """Everything that must not change when a run is resumed."""
        values = asdict(self)
        del values["run"]
        return json.dumps(values, sort_keys=True)


def load_config(path: Path, assignments: list[str] | None = None) -> TrainConfig:
    """Settings of a YAML file, with ``section.name=value`` put over them. Raises ConfigError."""
    return typed(TrainConfig, with_assignments(read_yaml(path), assignments or []))
