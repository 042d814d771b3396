"""Every network against what the official code computed with the same weights.

Limits are those of ``golden/liveportrait/README.md``, section 4. Each network runs once for all
tests of this file.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from liveportrait.networks.motion_extractor import MotionHeads
from liveportrait.networks.networks import Networks
from liveportrait.networks.sampling import gaussian_heatmap
from liveportrait.networks.warping import WarpOutput
from models.shapes import AnyArray
from tests.liveportrait_fixtures import Golden, golden_image, golden_input, golden_json

FEATURE, HEADS, DEFORMATION, OCCLUSION, OUT, IMAGE, MLP = 2e-4, 2e-5, 1e-5, 5e-5, 5e-4, 5e-4, 1e-5
CHAIN = 2e-3
Trace = dict[str, list[dict[str, Any]]]
T = TypeVar("T")


def figures(tensor: Tensor) -> dict[str, Any]:
    """A tensor in the words of trace.json."""
    flat = tensor.contiguous().flatten()
    places = [i * (flat.numel() - 1) // 5 for i in range(6)]
    mean = float(flat.mean())
    square = float(flat.square().mean())
    return {
        "shape": list(tensor.shape),
        "mean": mean,
        "std": max(square - mean**2, 0.0) ** 0.5,
        "abs_sum": float(flat.abs().mean()) * flat.numel(),
        "six": [float(flat[i]) for i in places],
    }


def record(trace: Trace, name: str, _: nn.Module, __: Any, out: Any) -> None:
    if isinstance(out, Tensor):
        trace.setdefault(name, []).append(figures(out))
        if name.endswith("pwconv2"):  # the official block has an identity named drop_path after it
            branch = figures(out.permute(0, 3, 1, 2))
            trace.setdefault(name.replace("pwconv2", "drop_path"), []).append(branch)


@dataclass
class Runs:
    """What the networks gave, and what each of their parts gave on the way."""

    traces: dict[str, Trace] = field(default_factory=dict)
    mask_logits: Tensor | None = None

    def traced(self, tag: str, module: nn.Module, call: Callable[[], T]) -> T:
        trace = self.traces[tag] = {}
        hooks = [
            part.register_forward_hook(partial(record, trace, name))
            for name, part in module.named_modules()
            if name
        ]
        try:
            with torch.inference_mode():
                return call()
        finally:
            for hook in hooks:
                hook.remove()


@pytest.fixture(scope="module")
def runs() -> Runs:
    return Runs()


@pytest.fixture(scope="module")
def images() -> tuple[Tensor, Tensor]:
    return golden_input("img_a_256"), golden_input("img_b_256")


@pytest.fixture(scope="module")
def features(seeded: Networks, runs: Runs, images: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    a = runs.traced(
        "appearance_feature_extractor", seeded.appearance, lambda: seeded.appearance(images[0])
    )
    with torch.inference_mode():
        return a, seeded.appearance(images[1])


@pytest.fixture(scope="module")
def heads(seeded: Networks, runs: Runs, images: tuple[Tensor, Tensor]) -> MotionHeads:
    batch = torch.cat(images)
    heads: MotionHeads = runs.traced(
        "motion_extractor", seeded.motion, lambda: seeded.motion(batch)
    )
    return heads


@dataclass
class WarpInputs:
    feature: Tensor
    kp_source: Tensor
    kp_driving: Tensor
    kp_driving_2: Tensor


@pytest.fixture(scope="module")
def warp_inputs(golden: Golden) -> WarpInputs:
    keypoints = golden("net_W")
    return WarpInputs(
        torch.from_numpy(golden("net_F")["feature_a_f16"]).float(),
        *(torch.from_numpy(keypoints[k]) for k in ("kp_source", "kp_driving", "kp_driving_2")),
    )


@pytest.fixture(scope="module")
def warped(seeded: Networks, runs: Runs, warp_inputs: WarpInputs) -> WarpOutput:
    call = partial(
        seeded.warping,
        warp_inputs.feature,
        kp_driving=warp_inputs.kp_driving,
        kp_source=warp_inputs.kp_source,
    )

    def keep(_: nn.Module, __: Any, logits: Tensor) -> None:
        runs.mask_logits = logits

    hook = seeded.warping.dense_motion_network.mask.register_forward_hook(keep)
    warped: WarpOutput = runs.traced("warping_module", seeded.warping, call)
    hook.remove()
    return warped


@pytest.fixture(scope="module")
def picture(seeded: Networks, runs: Runs, golden: Golden) -> Tensor:
    feature = torch.from_numpy(golden("net_W")["out_f16"]).float()
    image: Tensor = runs.traced(
        "spade_generator", seeded.generator, lambda: seeded.generator(feature)
    )
    return image


def assert_close(ours: Tensor, official: AnyArray, limit: float) -> None:
    assert tuple(ours.shape) == official.shape
    np.testing.assert_allclose(ours.numpy(), official.astype(np.float32), rtol=0, atol=limit)


def assert_statistics(ours: Tensor, official: AnyArray, limit: float) -> None:
    """[mean, population standard deviation, sum of magnitudes] of a whole tensor."""
    wide = ours.double()
    got = [float(wide.mean()), float(wide.std(correction=0)), float(wide.abs().sum())]
    assert got[:2] == pytest.approx(official[:2].tolist(), abs=limit)
    assert got[2] == pytest.approx(official[2], abs=limit * ours.numel())


def every(tensor: Tensor, *steps: int) -> Tensor:
    """``tensor[:, ::a, ::b, ...]``: what the arrays called sub hold; the batch stays whole."""
    return tensor[(slice(None), *(slice(None, None, step) for step in steps))]


def test_appearance_features(features: tuple[Tensor, Tensor], golden: Golden) -> None:
    official = golden("net_F")
    a, b = features
    whole = official["feature_a_f16"]
    np.testing.assert_allclose(a.numpy(), whole.astype(np.float32), rtol=2**-11, atol=FEATURE)
    assert_close(every(a, 4, 4, 4, 4), official["feature_a_sub"], FEATURE)
    assert_close(every(b, 4, 4, 4, 4), official["feature_b_sub"], FEATURE)
    assert_close(a.mean(dim=(0, 2, 3, 4)), official["feature_a_chan_mean"], FEATURE)
    assert_close(a.std(dim=(0, 2, 3, 4), correction=0), official["feature_a_chan_std"], FEATURE)
    assert_statistics(a, official["feature_a_stats"], FEATURE)
    assert_statistics(b, official["feature_b_stats"], FEATURE)


def test_motion_heads(heads: MotionHeads, golden: Golden) -> None:
    official = golden("net_M")
    for name, head in heads._asdict().items():
        assert_close(head, official[f"raw_{name}"], HEADS)


def test_warped_feature(warped: WarpOutput, golden: Golden) -> None:
    official = golden("net_W")
    np.testing.assert_allclose(
        warped.out.numpy(), official["out_f16"].astype(np.float32), rtol=2**-11, atol=OUT
    )
    assert_close(every(warped.out, 4, 2, 2), official["out_sub"], OUT)
    assert_close(warped.occlusion_map, official["occlusion_map"], OCCLUSION)
    assert_close(warped.deformation, official["deformation"], DEFORMATION)
    assert_statistics(warped.out, official["out_stats"], OUT)
    assert_statistics(warped.occlusion_map, official["occ_stats"], OCCLUSION)
    assert_statistics(warped.deformation, official["deformation_stats"], DEFORMATION)


def test_steps_of_the_dense_motion(
    seeded: Networks, runs: Runs, warp_inputs: WarpInputs, golden: Golden, warped: WarpOutput
) -> None:
    official, network = golden("net_W"), seeded.warping.dense_motion_network
    driving, source = warp_inputs.kp_driving, warp_inputs.kp_source
    with torch.inference_mode():
        compressed = network.compressed(warp_inputs.feature)
        motions = network.sparse_motions(driving, source)
        deformed = network.deformed_features(compressed, motions)
        heatmaps = network.heatmaps(driving, source)
        grid = network.grid()
        gaussian = gaussian_heatmap(grid, source, 0.01)
        assert runs.mask_logits is not None
        mask = torch.softmax(runs.mask_logits, dim=1)
        deformation = network.mix(runs.mask_logits, motions)
    assert_close(grid[::5, ::9, ::9], official["coordinate_grid"], 1e-6)
    assert_close(every(gaussian, 1, 4, 8, 8), official["gaussian_sub"], 1e-6)
    assert_close(every(compressed, 1, 4, 4, 4), official["compress_sub"], 1e-5)
    assert_close(every(motions, 1, 4, 8, 8, 1), official["sparse_motion_sub"], 1e-6)
    assert_close(every(deformed, 1, 1, 4, 8, 8), official["deformed_sub"], 5e-5)
    assert_close(every(heatmaps, 1, 1, 4, 8, 8), official["heatmap_sub"], 1e-6)
    assert_close(every(mask, 1, 4, 4, 4), official["mask_sub"], OCCLUSION)
    assert_statistics(mask, official["mask_stats"], OCCLUSION)
    assert torch.equal(deformation, warped.deformation)


def test_a_batch_of_two_portraits(
    seeded: Networks, images: tuple[Tensor, Tensor], warp_inputs: WarpInputs, golden: Golden
) -> None:
    """The official second input was rounded to half precision, which turns the last bits of F into
    steps of 2e-3; F in double precision falls on another step least often (in 1 % of values).
    """
    official = golden("net_W")
    with torch.inference_mode():
        b = deepcopy(seeded.appearance).double()(images[1].double()).half().float()
    check = official["feature_b_f16_sub_check"].astype(np.float32)
    np.testing.assert_allclose(every(b, 4, 4, 4, 4).numpy(), check, rtol=2**-9, atol=FEATURE)
    with torch.inference_mode():
        warped = seeded.warping(
            torch.cat((warp_inputs.feature, b)),
            kp_driving=torch.cat((warp_inputs.kp_driving, warp_inputs.kp_driving_2)),
            kp_source=warp_inputs.kp_source.expand(2, -1, -1),
        )
    assert_close(warped.occlusion_map, official["b2_occlusion_map"], OCCLUSION)
    assert_close(every(warped.deformation, 4, 4, 4, 1), official["b2_deformation_sub"], DEFORMATION)
    assert_close(every(warped.out, 8, 4, 4), official["b2_out_sub"], OUT)


def test_picture(picture: Tensor, golden: Golden) -> None:
    official = golden("net_G")
    assert_close(every(picture, 1, 3, 3), official["image_sub"], IMAGE)
    assert float(np.abs(every(picture, 1, 3, 3).numpy() - official["image_sub"]).mean()) < 1e-5
    half = official["image_f16_sub2"].astype(np.float32)
    np.testing.assert_allclose(every(picture, 1, 2, 2).numpy(), half, rtol=2**-11, atol=IMAGE)
    assert_close(picture[:, :, 200:264, 300:364], official["patch_fp32"], IMAGE)
    assert_close(picture.mean(dim=(0, 2, 3)), official["chan_mean"], 1e-5)
    assert_close(picture.std(dim=(0, 2, 3), correction=0), official["chan_std"], 1e-5)
    assert_statistics(picture, official["image_stats"], 1e-5)
    rounded = (picture[0].permute(1, 2, 0).clamp(0, 1) * 255).numpy().astype(np.uint8)
    difference = np.abs(rounded.astype(int) - golden_image("net_G_image_512"))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3


def test_from_picture_to_picture(
    seeded: Networks, features: tuple[Tensor, Tensor], warp_inputs: WarpInputs, golden: Golden
) -> None:
    official = golden("net_chain")
    with torch.inference_mode():
        warped = seeded.warping(
            features[0], kp_driving=warp_inputs.kp_driving, kp_source=warp_inputs.kp_source
        )
        image = seeded.generator(warped.out)
    assert_close(warped.occlusion_map, official["occlusion_map"], OCCLUSION)
    assert_close(every(warped.deformation, 4, 4, 4, 1), official["deformation_sub"], DEFORMATION)
    assert_close(every(image, 1, 4, 4), official["image_sub"], CHAIN)
    assert float(np.abs(every(image, 1, 4, 4).numpy() - official["image_sub"]).mean()) < 5e-5
    assert_statistics(image, official["image_stats"], 5e-5)


def test_stitching_and_retargeting(seeded: Networks, golden: Golden) -> None:
    official, small = golden("net_S"), seeded.retargeting
    source = torch.from_numpy(official["kp_source"]).flatten(1)
    with torch.inference_mode():
        stitched = small.stitching(torch.from_numpy(official["concat_feat"]))
        eye = small.eye(torch.cat((source, torch.from_numpy(official["eye_ratio"])), dim=1))
        lip = small.lip(torch.cat((source, torch.from_numpy(official["lip_ratio"])), dim=1))
    assert_close(stitched, official["stitch_delta"], MLP)
    assert_close(eye.unflatten(1, (21, 3)), official["eye_delta"], MLP)
    assert_close(lip.unflatten(1, (21, 3)), official["lip_delta"], MLP)


@pytest.mark.parametrize(
    ("tag", "fixture"),
    [
        ("appearance_feature_extractor", "features"),
        ("motion_extractor", "heads"),
        ("warping_module", "warped"),
        ("spade_generator", "picture"),
    ],
)
def test_every_part_on_the_way(
    runs: Runs, tag: str, fixture: str, request: pytest.FixtureRequest
) -> None:
    """In the order of execution, so that the first part named is where a mistake begins."""
    request.getfixturevalue(fixture)
    official, ours = golden_json("trace")[tag], runs.traces[tag]
    for name, calls in official.items():
        assert name in ours, f"{name} did not run"
        assert len(ours[name]) == len(calls), name
        for got, want in zip(ours[name], calls, strict=True):
            assert got["shape"] == want["shape"], name
            limit = 1e-4 * (want["std"] + 1e-3)
            size = float(np.prod(want["shape"]))
            assert got["mean"] == pytest.approx(want["mean"], abs=limit), name
            assert got["std"] == pytest.approx(want["std"], abs=limit), name
            assert got["abs_sum"] / size == pytest.approx(want["abs_sum"] / size, abs=limit), name
            assert got["six"] == pytest.approx(want["six"], abs=10 * limit), name
