"""The diffusion transformer: masks mean what they say."""

import numpy as np
import pytest
import torch
from torch import Tensor

from dit.layout import MOTION_CHANNELS
from dit.model import MotionDiT, NetworkConfig, rotary_table, rotate
from models.device import DevicePolicy, compile_network
from models.timing import CONTEXT_FRAMES
from tests.dit_fixtures import tiny_checkpoint

NETWORK = tiny_checkpoint().network
CONDITION = NETWORK.config.condition_channels + 1


def inputs(new: int = 8, seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)

    def noise(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    condition = noise(2, CONTEXT_FRAMES + new, CONDITION)
    context = noise(2, CONTEXT_FRAMES, MOTION_CHANNELS + 1)
    condition[..., -1] = 1.0
    context[..., -1] = 1.0
    return [noise(2, new, MOTION_CHANNELS), torch.tensor([0.3, 0.9]), condition, context]


def run(x: list[Tensor]) -> Tensor:
    with torch.inference_mode():
        out: Tensor = NETWORK(*x)
    return out


def test_every_input_matters() -> None:
    usual = run(inputs())
    for index in range(4):
        changed = inputs()
        changed[index] = changed[index].clone()
        changed[index][0] *= 0.5
        assert (run(changed)[0] - usual[0]).abs().max() > 1e-4


def test_unknown_voice_and_unknown_context_have_no_effect() -> None:
    one, other = inputs(), inputs()
    for x in (one, other):
        x[2][:, -4:, -1] = 0.0
        x[3][..., -1] = 0.0
    other[2][:, -4:, :-1] = 7.0
    other[3][..., :-1] = -3.0
    torch.testing.assert_close(run(one), run(other))


def test_windows_of_any_length_give_one_frame_for_each_new_one() -> None:
    for new in (1, 10, 70):
        assert run(inputs(new)).shape == (2, new, MOTION_CHANNELS)


def test_a_fresh_network_starts_from_zero_with_every_gate_shut() -> None:
    torch.manual_seed(0)
    network = MotionDiT(NetworkConfig(MOTION_CHANNELS, CONDITION - 1, width=16, layers=1, heads=2))
    with torch.inference_mode():
        assert network(*inputs()).abs().max() == 0.0


def test_rotary_scores_depend_on_distance_alone() -> None:
    torch.manual_seed(0)
    q, k = torch.randn(8), torch.randn(8)
    table = rotary_table(12, 8, q)
    queries, keys = rotate(q.expand(1, 1, 12, 8), table), rotate(k.expand(1, 1, 12, 8), table)
    scores = (queries @ keys.transpose(-1, -2))[0, 0]
    for distance in range(-5, 6):
        diagonal = torch.diagonal(scores, distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal))


def test_openvino_gives_what_torch_gives() -> None:
    pytest.importorskip("openvino")
    x = inputs()
    policy = DevicePolicy("cpu", "fp32", "openvino")
    compiled = compile_network(NETWORK, tuple(x), policy, "test-motion")
    np.testing.assert_allclose(compiled(*(t.numpy() for t in x)), run(x).numpy(), atol=2e-4)


def test_sizes_that_do_not_split_are_refused() -> None:
    with pytest.raises(ValueError, match="heads"):
        NetworkConfig(MOTION_CHANNELS, 4, width=30, heads=4)
