"""JoyVASA's published files: ``motion_generator/*.pt`` and ``motion_template/*.pkl``.

The ``.pt`` is a pickle of settings and tensors and is read with ``weights_only``: nothing in it is
run. Hub: jdh-algo/JoyVASA, MIT licence.
"""

import argparse
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from torch import Tensor

from dit.published import joyvasa
from dit.published.joyvasa import JoyvasaNetwork, Positions
from dit.published.joyvasa_audio import hubert_base
from dit.published.joyvasa_template import JoyvasaTemplate, load_template
from dit.sampler import TableSchedule
from models.errors import MissingWeightsError, WeightsError
from models.timing import FPS
from models.weights import MANIFEST_NAME, load_manifest, path_of, remedy

ENTRY = "joyvasa"  # of the weights manifest, and the folder's usual name
NETWORK_FILE = "motion_generator/motion_generator_hubert_chinese.pt"
TEMPLATE_FILE = "motion_template/motion_template.pkl"

# What must hold. ``n_layers`` and ``use_indicator`` are stored, too, and say something else than
# what was trained: the training code never passed them on.
_SETTINGS = {
    "fps": FPS,
    "n_motions": joyvasa.FRAMES,
    "n_prev_motions": joyvasa.PREVIOUS_FRAMES,
    "motion_feat_dim": joyvasa.MOTION_CHANNELS,
    "feature_dim": joyvasa.WIDTH,
    "n_heads": joyvasa.HEADS,
    "n_diff_steps": joyvasa.DIFFUSION_STEPS,
}
_COMPUTED = {"denoising_net.TE.pe"}  # some files hold more rows of it than others
_UNUSED = {"audio_encoder.masked_spec_embed"}  # of training
_WEIGHT_NORM = {  # the older spelling of torch's weight norm -> the newer one
    ".conv.weight_g": ".conv.parametrizations.weight.original0",
    ".conv.weight_v": ".conv.parametrizations.weight.original1",
}


@dataclass(frozen=True)
class JoyvasaCheckpoint:
    """Everything that the published files hold, in evaluation mode and float32."""

    network: JoyvasaNetwork
    template: JoyvasaTemplate
    schedule: TableSchedule


def is_joyvasa(directory: Path) -> bool:
    """Whether a folder holds JoyVASA's files, not a checkpoint of this project."""
    return (directory / NETWORK_FILE).is_file()


def load_joyvasa(directory: Path, positions: Positions = "constant") -> JoyvasaCheckpoint:
    """Read both files of a folder laid out as published (weights/joyvasa).

    Raises MissingWeightsError when one is not there, ChecksumError when the manifest beside the
    folder lists other bytes, WeightsError when one is damaged or something else.
    """
    root = directory.parent
    if (root / MANIFEST_NAME).is_file() and directory.name in load_manifest(root):
        path_of(directory.name, root)
    path = directory / NETWORK_FILE
    if not path.is_file():
        raise MissingWeightsError(f"{path} is missing; {remedy(load_manifest()[ENTRY])}")
    content = _read(path)
    _check_settings(content["args"], path)
    with torch.device("meta"):
        encoder = hubert_base()
    network = JoyvasaNetwork(encoder, positions)
    try:
        _fill(network, content["model"])
        schedule = TableSchedule(network.diffusion_sched.alpha_bars.numpy())
    except ValueError as error:
        raise WeightsError(f"{path} holds another network than JoyVASA's: {error}") from error
    return JoyvasaCheckpoint(
        network.eval().requires_grad_(False), load_template(directory / TEMPLATE_FILE), schedule
    )


def _read(path: Path) -> dict[str, Any]:
    """The pickle's dict; its settings may name paths, which stand for text alone."""
    allowed: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
        argparse.Namespace,
        (PurePosixPath, "pathlib.PosixPath"),
    ]
    try:
        with torch.serialization.safe_globals(allowed):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        reason = str(error).split("\n", 1)[0]
        raise WeightsError(f"{path} is damaged or no torch weight file ({reason})") from error
    wanted = isinstance(content, dict) and isinstance(content.get("model"), Mapping)
    if not wanted or not isinstance(content.get("args"), argparse.Namespace):
        raise WeightsError(f"{path} is no motion generator: it holds no 'args' and 'model'")
    return dict(content)


def _check_settings(settings: argparse.Namespace, path: Path) -> None:
    for name, expected in _SETTINGS.items():
        if (found := getattr(settings, name, expected)) != expected:
            raise WeightsError(f"{path} was trained with {name} {found}; accepted: {expected}")
    encoder = str(getattr(settings, "audio_model", "hubert"))
    if not encoder.startswith("hubert"):
        raise WeightsError(f"{path} listens through {encoder!r}; accepted: hubert, hubert_zh, ...")


def _fill(network: JoyvasaNetwork, state: Mapping[str, Any]) -> None:
    """Every tensor of the network from the file. Raises ValueError for too few, too many, others
    than expected, and values that are not finite."""
    wanted = network.state_dict()
    named = {newer_spelling(name): value for name, value in state.items()}
    for name in _COMPUTED:
        named[name] = wanted[name]
    for name in _UNUSED - named.keys():
        named[name] = torch.zeros(wanted[name].shape)
    wrong = [f"no {name}" for name in wanted.keys() - named.keys()]
    wrong += [f"unknown {name}" for name in named.keys() - wanted.keys()]
    for name in wanted.keys() & named.keys():
        value, like = named[name], wanted[name]
        if not isinstance(value, Tensor) or value.shape != like.shape:
            wrong.append(f"{name} is not a tensor of {list(like.shape)}")
        elif not bool(torch.isfinite(value).all()):
            wrong.append(f"{name} holds values that are not finite")
    if wrong:
        raise ValueError(", ".join(sorted(wrong)[:3]))
    network.load_state_dict({k: named[k].to(wanted[k].dtype) for k in wanted}, assign=True)


def newer_spelling(name: str) -> str:
    """A tensor's name as torch writes it today."""
    for older, newer in _WEIGHT_NORM.items():
        if name.endswith(older):
            return name.removesuffix(older) + newer
    return name
