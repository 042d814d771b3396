import pytest
import torch
from torch import nn

from liveportrait.runtime.mask_head import FastPredictor, OcclusionHead
from tests.liveportrait_small_networks import small_networks


@pytest.mark.parametrize("winograd", [False, True])
def test_the_same_mask_and_occlusion(winograd: bool) -> None:
    network = small_networks().warping.dense_motion_network
    x = torch.randn(2, 110, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    mask, occlusion = network.predict(x)
    fast_mask, fast_occlusion = FastPredictor(network, winograd=winograd)(x)
    assert mask.std() > 0.5
    torch.testing.assert_close(fast_mask, mask, atol=1e-3, rtol=0)
    torch.testing.assert_close(fast_occlusion, occlusion, atol=1e-4, rtol=0)


def test_the_network_given_stays_as_it_is() -> None:
    network = small_networks().warping.dense_motion_network
    before = {key: value.clone() for key, value in network.state_dict().items()}
    FastPredictor(network, winograd=True)
    after = network.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_occlusion_with_every_tap_as_an_output() -> None:
    torch.manual_seed(0)
    convolution = nn.Conv2d(6 * 4, 1, 7, padding=3).requires_grad_(False)
    x = torch.randn(2, 6, 4, 9, 10)
    wanted = torch.sigmoid(convolution(x.flatten(1, 2)))
    torch.testing.assert_close(OcclusionHead(convolution, 6, 4)(x), wanted, atol=1e-5, rtol=0)
