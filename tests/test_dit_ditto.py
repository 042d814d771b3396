"""Ditto's motion network against the official one, on seeded weights (golden/motion/README.md)."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from dit.published.ditto import DittoNetwork
from dit.published.ditto_windows import (
    SCHEDULE,
    DittoWindows,
    Joining,
    joined,
    load_ditto,
    motion_of,
    next_frame,
)
from dit.sampler import sample
from models.device import DevicePolicy
from models.errors import MissingWeightsError, WeightsError
from models.shapes import AnyArray
from tests.published_weights import golden_motion, seeded_parameters, tensor_list

TOLERANCE = 2e-5


def assert_close(ours: AnyArray, theirs: AnyArray) -> None:
    assert ours.shape == theirs.shape
    assert np.isfinite(ours).all()
    assert np.abs(ours - theirs).max() <= TOLERANCE * np.abs(theirs).max()


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> DittoNetwork:
    """Written and read in the published form, with the tables that the file holds."""
    path = tmp_path_factory.mktemp("ditto") / "lmdm_v0.4_hubert.pth"
    state = {**DittoNetwork().state_dict(), **seeded_parameters("ditto")}
    torch.save({"model_state_dict": state}, path)
    return load_ditto(path)


@pytest.fixture(scope="module")
def windows(network: DittoNetwork) -> DittoWindows:
    return DittoWindows(network, DevicePolicy("cpu", "fp32", "torch"))


def test_names_shapes_and_weights_are_the_official_ones(network: DittoNetwork) -> None:
    ours = network.state_dict()
    listed = {tensor["name"]: tensor for tensor in tensor_list("ditto")["tensors"]}
    assert ours.keys() == listed.keys()
    for name, tensor in ours.items():
        assert list(tensor.shape) == listed[name]["shape"], name
        assert tensor.double().sum().item() == pytest.approx(listed[name]["sum"], abs=2e-4)
        assert tensor.flatten()[0].item() == pytest.approx(listed[name]["first"], rel=1e-6)


@pytest.mark.parametrize("heard", [True, False])
def test_network(network: DittoNetwork, heard: bool) -> None:
    golden = golden_motion("ditto/denoiser")
    inputs = (torch.from_numpy(golden[name]) for name in ("x", "cond_frame", "cond", "t"))
    with torch.inference_mode():
        out = network(*inputs, torch.tensor([heard, heard])).numpy()
    assert_close(out, golden["out_cond" if heard else "out_uncond"])


def test_schedule_and_steps() -> None:
    assert_close(SCHEDULE.alpha_bars[1:], golden_motion("ditto/denoiser")["alphas_cumprod"])
    pairs = golden_motion("ditto/sample")["time_pairs"].tolist()
    entries = [SCHEDULE.entry(t) - 1 for t in SCHEDULE.times(10)]
    assert [[t, s] for t, s in pairwise(entries)] == pairs


def test_sampling(windows: DittoWindows) -> None:
    golden = golden_motion("ditto/sample")
    out = windows.draw(
        golden["cond"][0],
        golden["cond_frame"][0],
        golden["x_T"][0],
        lambda index, _: golden["noise"][index],
        steps=10,
    )
    assert_close(out, golden["out_eta1"][0])


@pytest.mark.parametrize("steps", [1, 5, 50])
def test_any_number_of_steps_is_finite(steps: int) -> None:
    """With five, the official code takes the root of a number just below zero."""
    noise = golden_motion("ditto/sample")["x_T"]
    out = sample(
        lambda x, _: 0.5 * x,
        noise,
        SCHEDULE,
        SCHEDULE.times(steps),
        eta=1.0,
        step_noise=lambda *_: noise,
    )
    assert np.isfinite(out).all()


@pytest.mark.parametrize(
    ("name", "joining"),
    [
        ("offline_ov10", Joining(steps=10)),
        ("online_ov70", Joining(overlap=70, online=True, steps=10)),
    ],
)
def test_the_second_window_joins_the_first(
    windows: DittoWindows, name: str, joining: Joining
) -> None:
    golden = golden_motion("ditto/windows")
    first = golden[f"{name}_seq_after_0"][0]
    frame = next_frame(first, golden["source_motion"], joining)
    assert_close(frame, golden[f"{name}_kp_cond_after_0"][0])
    condition = golden[f"{name}_cond"][0, joining.new_frames :][:80]
    window = windows.draw(
        condition,
        frame,
        golden[f"{name}_x_T"][1, 0],
        lambda index, _: golden["noise"][index],
        steps=joining.steps,
    )
    both = joined(first, window, joining)
    assert_close(both, golden[f"{name}_seq_after_1"][0])
    after = next_frame(both, golden["source_motion"], joining)
    assert_close(after, golden[f"{name}_kp_cond_after_1"][0])


def test_the_first_window_is_steadied_alone() -> None:
    window = np.zeros((80, 265), np.float32)
    window[40, [0, 250]] = 3.0
    sequence = joined(np.zeros((0, 265), np.float32), window, Joining())
    assert sequence[39:42, 0].tolist() == [1.0, 1.0, 1.0]
    assert sequence[39:42, 250].tolist() == [0.0, 3.0, 0.0]


def test_what_the_numbers_mean() -> None:
    vector = np.zeros((1, 265), np.float32)
    vector[0, 0] = 0.25
    for angle, wanted in enumerate((30, 40, 20)):  # bins
        vector[0, 1 + 66 * angle + wanted] = 50.0
    vector[0, 199:202] = (0.1, 0.2, 0.3)
    vector[0, 202:205] = (1, 2, 3)
    motion = motion_of(vector)
    assert [motion.pitch[0], motion.yaw[0], motion.roll[0]] == [-7.5, 22.5, -37.5]
    assert motion.scale.tolist() == [1.25]
    np.testing.assert_allclose(motion.t[0], (0.1, 0.2, 0.3))
    assert motion.exp[0, 0].tolist() == [1, 2, 3]


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "lmdm_v0.4_hubert.pth"
    with pytest.raises(MissingWeightsError, match=r"hubert\.pth is missing"):
        load_ditto(path)
    for content in ({"model_state_dict": {"a": torch.zeros(1)}}, {}, [1]):
        torch.save(content, path)
        with pytest.raises(WeightsError, match="no motion network of Ditto"):
            load_ditto(path)


def test_an_overlap_leaves_room() -> None:
    for overlap in (0, 80):
        with pytest.raises(ValueError, match=f"overlap is {overlap}; accepted: 1 to 79"):
            Joining(overlap=overlap)
