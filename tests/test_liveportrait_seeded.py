"""Names, shapes and the recipe's numbers of every official tensor."""

import dataclasses
from typing import Any

import pytest
import torch

from liveportrait.networks.config import (
    AppearanceConfig,
    DenseMotionConfig,
    GeneratorConfig,
    MotionConfig,
    RetargetingConfig,
    WarpingConfig,
)
from liveportrait.networks.networks import Networks, empty_networks
from liveportrait.networks.seeded import SEED, seed_weights
from tests.liveportrait_fixtures import golden_json

MODULES: dict[str, Any] = golden_json("state_dict")["modules"]


@pytest.mark.parametrize("tag", MODULES)
def test_tensors_have_the_official_names_shapes_and_kinds(seeded: Networks, tag: str) -> None:
    module = seeded.by_official_name()[tag]
    expected = MODULES[tag]["tensors"]
    state = module.state_dict()
    assert list(state) == [tensor["name"] for tensor in expected]
    parameters = {name for name, _ in module.named_parameters()}
    for tensor in expected:
        ours = state[tensor["name"]]
        assert list(ours.shape) == tensor["shape"], tensor["name"]
        assert str(ours.dtype) == f"torch.{tensor['dtype']}", tensor["name"]
        assert (tensor["name"] in parameters) == (tensor["kind"] == "parameter"), tensor["name"]
    assert len(state) == MODULES[tag]["n_tensors"]
    assert sum(p.numel() for p in module.parameters()) == MODULES[tag]["n_parameters"]
    assert sum(t.numel() for t in state.values()) == MODULES[tag]["n_elements_state_dict"]
    assert sum(t.nbytes for t in state.values()) == MODULES[tag]["bytes_state_dict"]


@pytest.mark.parametrize("tag", MODULES)
def test_the_recipe_gives_the_numbers_of_the_golden_weights(seeded: Networks, tag: str) -> None:
    state = seeded.by_official_name()[tag].state_dict()
    for tensor in MODULES[tag]["tensors"]:
        ours, name = state[tensor["name"]].double().flatten(), tensor["name"]
        # processors without AVX2 draw numbers that differ by up to 2.2e-6
        assert ours[:4].tolist() == pytest.approx(tensor["recipe_first4"], abs=5e-6), name
        spread = 2.2e-6 * ours.numel()
        assert float(ours.sum()) == pytest.approx(tensor["recipe_sum"], abs=spread), name
        assert float(ours.abs().sum()) == pytest.approx(tensor["recipe_abs_sum"], abs=spread), name


def test_another_seed_or_name_gives_other_numbers() -> None:
    weights = []
    for tag, seed in (("lip", SEED), ("lip", SEED + 1), ("stitching", SEED)):
        module = empty_networks().retargeting.lip
        seed_weights(module, tag, seed)
        weights.append(module.state_dict()["mlp.0.weight"])
    assert not torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_networks_are_for_inference(seeded: Networks) -> None:
    modules = [*seeded.by_official_name().values(), seeded.retargeting]
    assert not any(module.training for module in modules)
    assert not any(p.requires_grad for module in modules for p in module.parameters())
    for module in modules:
        assert not any(t.is_meta for t in (*module.parameters(), *module.buffers()))


def test_the_default_sizes_are_the_official_ones() -> None:
    official = golden_json("state_dict")["config"]
    image = official["appearance_feature_extractor_params"]
    assert dataclasses.astuple(AppearanceConfig()) == tuple(
        image[key]
        for key in (
            "image_channel",
            "block_expansion",
            "num_down_blocks",
            "max_features",
            "reshape_channel",
            "reshape_depth",
            "num_resblocks",
        )
    )
    assert MotionConfig().keypoints == official["motion_extractor_params"]["num_kp"]
    warping = official["warping_module_params"]
    ours = WarpingConfig()
    assert (ours.keypoints, ours.block_expansion, ours.max_features, ours.down_blocks) == (
        warping["num_kp"],
        warping["block_expansion"],
        warping["max_features"],
        warping["num_down_blocks"],
    )
    assert ours.volume_channels == warping["reshape_channel"]
    dense = warping["dense_motion_params"]
    assert ours.volume_depth == dense["reshape_depth"]
    assert ours.dense_motion == DenseMotionConfig(
        dense["block_expansion"], dense["max_features"], dense["num_blocks"], dense["compress"]
    )
    generator = official["spade_generator_params"]
    width = generator["block_expansion"] * 2 ** generator["num_down_blocks"]
    assert GeneratorConfig().feature_channels == min(generator["max_features"], width)
    assert GeneratorConfig().upscale == generator["upscale"]
    for name, mlp in official["stitching_retargeting_module_params"].items():
        ours_mlp = getattr(RetargetingConfig(), name)
        assert (ours_mlp.inputs, ours_mlp.outputs) == (mlp["input_size"], mlp["output_size"])
        assert list(ours_mlp.hidden) == mlp["hidden_sizes"]


def test_half_precision_leaves_the_coordinates_exact() -> None:
    from liveportrait.networks.sampling import CoordinateGrid

    exact = CoordinateGrid((16, 64, 64))
    halved = CoordinateGrid((16, 64, 64)).bfloat16().half()
    assert torch.equal(exact(), halved())
    assert not exact.state_dict()
    assert exact()[-1, 0, -1].tolist() == [1, -1, 1]  # x, y, z of [z, y, x]
