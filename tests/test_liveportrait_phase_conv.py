import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from liveportrait.runtime.phase_conv import UpsampledConv


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_it_is_the_convolution_of_the_upsampled_map(scale: int) -> None:
    torch.manual_seed(scale)
    convolution = nn.Conv2d(6, 5, 3, padding=1).requires_grad_(False)
    x = torch.randn(2, 6, 4, 7)
    wanted = convolution(functional.interpolate(x, scale_factor=float(scale), mode="nearest"))
    got = UpsampledConv(convolution.weight, convolution.bias)(x, scale)
    torch.testing.assert_close(got, wanted, atol=1e-5, rtol=0)


def test_volumes_are_upsampled_in_height_and_width_alone() -> None:
    torch.manual_seed(0)
    convolution = nn.Conv3d(6, 5, 3, padding=1).requires_grad_(False)
    x = torch.randn(2, 6, 3, 4, 5)
    wanted = convolution(functional.interpolate(x, scale_factor=(1.0, 2.0, 2.0), mode="nearest"))
    got = UpsampledConv(convolution.weight, convolution.bias)(x)
    torch.testing.assert_close(got, wanted, atol=1e-5, rtol=0)


def test_without_bias_and_with_constant_input_the_border_sees_the_padding() -> None:
    got = UpsampledConv(torch.ones(1, 1, 3, 3), None)(torch.ones(1, 1, 2, 2))
    assert got[0, 0].tolist() == [[4, 6, 6, 4], [6, 9, 9, 6], [6, 9, 9, 6], [4, 6, 6, 4]]


@pytest.mark.parametrize(("scale", "saved"), [(2, 4), (4, 16)])
def test_multiplications_saved(scale: int, saved: int) -> None:
    convolution = nn.Conv2d(64, 64, 3, padding=1).requires_grad_(False)
    x = torch.randn(1, 64, 8, 8)
    with FlopCounterMode(display=False) as direct:
        convolution(functional.interpolate(x, scale_factor=float(scale)))
    with FlopCounterMode(display=False) as phases:
        UpsampledConv(convolution.weight, convolution.bias)(x, scale)
    # the differences p - c and n - c are counted too: a few percent
    assert saved * 0.9 < direct.get_total_flops() / phases.get_total_flops() <= saved
