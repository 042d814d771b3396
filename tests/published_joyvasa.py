"""JoyVASA as its users have it: the published files, with seeded weights; and a small one."""

import argparse
import pickle
from collections import OrderedDict
from functools import cache
from pathlib import Path, PosixPath
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from dit.published.joyvasa import DenoisingNetwork, JoyvasaNetwork
from dit.published.joyvasa_checkpoint import (
    NETWORK_FILE,
    TEMPLATE_FILE,
    JoyvasaCheckpoint,
    load_joyvasa,
)
from dit.published.joyvasa_template import JoyvasaTemplate
from dit.sampler import TableSchedule, cosine_alpha_bars
from models.shapes import AnyArray
from tests.published_weights import golden_motion, seeded_parameters, seeded_tensor

# as published: layers and indicator are not what was trained
SETTINGS = {
    "n_diff_steps": 50,
    "feature_dim": 256,
    "n_heads": 8,
    "n_layers": 6,
    "n_motions": 100,
    "n_prev_motions": 10,
    "motion_feat_dim": 73,
    "use_indicator": True,
    "fps": 25,
    "audio_model": "hubert_zh",
    "exp_dir": PosixPath("experiments/joyvasa"),
}


def write_files(folder: Path, model: dict[str, Tensor], **settings: Any) -> None:
    """Both files in the published form."""
    content = {
        "args": argparse.Namespace(**{**SETTINGS, **settings}),
        "model": OrderedDict(model),
        "iter": 20_000,
    }
    for file in (NETWORK_FILE, TEMPLATE_FILE):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, folder / NETWORK_FILE)
    (folder / TEMPLATE_FILE).write_bytes(pickle.dumps(template_numbers()))


def template_numbers() -> dict[str, AnyArray]:
    """The contents of motion_template.pkl, with what nobody reads."""
    pipeline = golden_motion("joyvasa/pipeline")
    prefix = "template_"
    numbers = {k.removeprefix(prefix): v for k, v in pipeline.items() if k.startswith(prefix)}
    return {**numbers, "mean_lip": np.zeros(1, np.float32)}


def published_tensors() -> dict[str, Tensor]:
    """All tensors of the file, weight norm in its older spelling, a step table of other length."""
    tensors = seeded_parameters("joyvasa")
    for newer, older in (("original0", "weight_g"), ("original1", "weight_v")):
        stem = "audio_encoder.encoder.pos_conv_embed.conv."
        tensors[stem + older] = tensors.pop(f"{stem}parametrizations.weight.{newer}")
    for name, values in golden_motion("joyvasa/buffers").items():
        if name.startswith("diffusion_sched."):
            tensors[name] = torch.from_numpy(values)
    computed = DenoisingNetwork().state_dict()
    for name in ("PE.pe", "alignment_mask"):
        tensors[f"denoising_net.{name}"] = computed[name]
    tensors["denoising_net.TE.pe"] = torch.zeros(1, 51, 256)
    return tensors


@pytest.fixture(scope="session")
def joyvasa(tmp_path_factory: pytest.TempPathFactory) -> JoyvasaCheckpoint:
    """The whole published network, written and read as files; never change it in place."""
    folder = tmp_path_factory.mktemp("weights") / "joyvasa"
    write_files(folder, published_tensors())
    loaded = load_joyvasa(folder)
    (folder / NETWORK_FILE).unlink()  # 414 MB
    return loaded


@cache
def small_joyvasa() -> JoyvasaCheckpoint:
    """The same behind an audio encoder of almost nothing, for what costs many windows."""
    import transformers

    config = transformers.HubertConfig(
        num_hidden_layers=0,
        conv_dim=(8,) * 7,
        num_conv_pos_embeddings=2,
    )
    network = JoyvasaNetwork(transformers.HubertModel(config)).eval().requires_grad_(False)
    for name, values in network.named_parameters():
        values.copy_(seeded_tensor(name, tuple(values.shape), seed=7))
    numbers = template_numbers()
    poses = ("scale", "t", "pitch", "yaw", "roll")
    template = JoyvasaTemplate(
        numbers["mean_exp"],
        numbers["std_exp"],
        np.concatenate([numbers[f"min_{name}"] for name in poses]),
        np.concatenate([numbers[f"max_{name}"] for name in poses]),
    )
    return JoyvasaCheckpoint(
        network, template, TableSchedule(cosine_alpha_bars(50, least_beta=1e-4))
    )
