"""A trained motion network on disk: ``model.safetensors`` and ``config.json`` in one directory.

The tensors are the network's, the motion statistics' (``layout.*``) and the voice projection's
(``voice.*``); the JSON names the engine and the encoder they were made for.
"""

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from dit.condition import MelNorm, VoiceProjection
from dit.layout import MotionLayout
from dit.model import MotionDiT, NetworkConfig
from dit.phoneme_head import Linear, PhonemeHead
from models.errors import EngineMismatchError, MissingWeightsError, WeightsError

FORMAT = "visavis-motion-1"
WEIGHTS_FILE, CONFIG_FILE = "model.safetensors", "config.json"


@dataclass(frozen=True, slots=True)
class Sampling:
    """How motion is drawn from the network. Figures chosen by ``python -m dit evaluate``."""

    steps: int = 3
    guidance: float = 1.0  # 1 = none, and half the work
    mouth_temperature: float = 0.0  # spread of the starting noise in the mouth's channels
    head_temperature: float = 0.4  # the same for head pose and the rest of the face
    mouth_gain: float = 1.0  # undoes the flattening of low temperature
    # share of the mouth just shown that the next window is told of; 0 tells it of a shut one: the
    # cross-fade joins the mouth, and a mouth that hears itself drifts and misses its closures
    mouth_memory: float = 0.0
    press_units: float = 2.0  # by how much nearly shut lips are brought together


@dataclass(frozen=True)
class MotionCheckpoint:
    """Everything that is needed to turn speech features into motion."""

    network: MotionDiT
    layout: MotionLayout
    projection: VoiceProjection
    encoder: str  # name of the speech encoder it was trained with
    sampling: Sampling = field(default_factory=Sampling)

    @property
    def engine(self) -> str:
        """The engine whose motion it makes."""
        return self.layout.engine


def save_checkpoint(checkpoint: MotionCheckpoint, directory: Path) -> None:
    """Write both files; the directory is made when it is missing."""
    directory.mkdir(parents=True, exist_ok=True)
    tensors = {f"network.{k}": v.contiguous() for k, v in checkpoint.network.state_dict().items()}
    tensors["layout.mean"] = torch.from_numpy(checkpoint.layout.mean)
    tensors["layout.spread"] = torch.from_numpy(checkpoint.layout.spread)
    tensors["voice.mean"] = torch.from_numpy(checkpoint.projection.mean)
    tensors["voice.basis"] = torch.from_numpy(checkpoint.projection.basis).contiguous()
    tensors |= _head_tensors(checkpoint.projection.head)
    tensors["voice.mel_mean"] = torch.from_numpy(checkpoint.projection.mel.mean)
    tensors["voice.mel_spread"] = torch.from_numpy(checkpoint.projection.mel.spread)
    config = {
        "format": FORMAT,
        "engine": checkpoint.engine,
        "encoder": {"name": checkpoint.encoder, "dim": checkpoint.projection.embedding_dim},
        "network": asdict(checkpoint.network.config),
        "sampling": asdict(checkpoint.sampling),
    }
    save_file(tensors, directory / WEIGHTS_FILE)
    (directory / CONFIG_FILE).write_text(json.dumps(config, indent=2) + "\n")


def load_checkpoint(directory: Path, engine: str | None = None) -> MotionCheckpoint:
    """Read what ``save_checkpoint`` wrote, in evaluation mode.

    Raises MissingWeightsError when a file is not there, EngineMismatchError when it was trained for
    another engine than the one asked for, WeightsError when it is damaged or something else.
    """
    for name in (CONFIG_FILE, WEIGHTS_FILE):
        if not (directory / name).is_file():
            raise MissingWeightsError(
                f"motion checkpoint {directory} has no {name}; `python -m dit train` writes one"
            )
    config = _read_config(directory / CONFIG_FILE)
    if engine is not None and config["engine"] != engine:
        raise EngineMismatchError(
            f"motion checkpoint {directory} makes motion for engine {config['engine']!r}, "
            f"not for {engine!r}"
        )
    try:
        tensors = load_file(directory / WEIGHTS_FILE)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{directory / WEIGHTS_FILE} is damaged: {error}") from error
    try:
        return _assemble(config, tensors)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise WeightsError(
            f"{directory} is no motion checkpoint of this version: {error}"
        ) from error


def _head_tensors(head: PhonemeHead) -> dict[str, torch.Tensor]:
    tensors = {"voice.phonemes": head.last.weight, "voice.phoneme_bias": head.last.bias}
    if head.hidden is not None:
        tensors["voice.phoneme_hidden"] = head.hidden.weight
        tensors["voice.phoneme_hidden_bias"] = head.hidden.bias
    return {name: torch.from_numpy(value).contiguous() for name, value in tensors.items()}


def _projection(tensors: dict[str, torch.Tensor]) -> VoiceProjection:
    """Older checkpoints have a linear phoneme head and listen to no mel bands."""
    voice = {k.removeprefix("voice."): v.numpy() for k, v in tensors.items() if "voice." in k}
    hidden = None
    if "phoneme_hidden" in voice:
        hidden = Linear(voice["phoneme_hidden"], voice["phoneme_hidden_bias"])
    head = PhonemeHead(Linear(voice["phonemes"], voice["phoneme_bias"]), hidden)
    mel = MelNorm(voice["mel_mean"], voice["mel_spread"]) if "mel_mean" in voice else MelNorm()
    return VoiceProjection(voice["mean"], voice["basis"], head, mel)


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text())
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise WeightsError(f"{path} is damaged: {error}") from error
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        raise WeightsError(f"{path} is not a motion checkpoint of format {FORMAT}")
    if not isinstance(config.get("engine"), str):
        raise WeightsError(f"{path} does not name its engine")
    return config


def _assemble(config: dict[str, Any], tensors: dict[str, torch.Tensor]) -> MotionCheckpoint:
    network = MotionDiT(NetworkConfig(**config["network"]))
    prefix = "network."
    network.load_state_dict(
        {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
    )
    for name, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            raise ValueError(f"{name} holds values that are not finite")
    known = {f.name for f in fields(Sampling)}
    unknown = set(config["sampling"]) - known
    if unknown:
        raise ValueError(f"unknown sampling settings {sorted(unknown)}")
    layout = MotionLayout(
        config["engine"], tensors["layout.mean"].numpy(), tensors["layout.spread"].numpy()
    )
    projection = _projection(tensors)
    if projection.channels != network.config.condition_channels:
        raise ValueError(
            f"the voice projection has {projection.channels} channels, "
            f"the network takes {network.config.condition_channels}"
        )
    if projection.embedding_dim != config["encoder"]["dim"]:
        raise ValueError("the voice projection is not for the encoder that the config names")
    return MotionCheckpoint(
        network.eval(),
        layout,
        projection,
        str(config["encoder"]["name"]),
        Sampling(**config["sampling"]),
    )
