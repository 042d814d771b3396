import numpy as np
import pytest
import torch
from torch import nn

from liveportrait.runtime.winograd import WinogradConv, transforms


@pytest.mark.parametrize("taps", [3, 7])
def test_transforms_are_those_of_a_correlation(taps: int) -> None:
    rng = np.random.default_rng(0)
    filters, inputs, outputs = transforms(taps)
    taps_values, tile = rng.normal(size=taps), rng.normal(size=taps + 3)
    got = outputs @ ((filters @ taps_values) * (inputs @ tile))
    np.testing.assert_allclose(got, np.correlate(tile, taps_values, "valid"), atol=1e-10)


@pytest.mark.parametrize("taps", [3, 7])
def test_planes(taps: int) -> None:
    torch.manual_seed(taps)
    convolution = nn.Conv2d(6, 5, taps, padding=taps // 2).requires_grad_(False)
    x = torch.randn(2, 6, 8, 12)
    got = WinogradConv(convolution.weight, convolution.bias)(x)
    torch.testing.assert_close(got, convolution(x), atol=2e-4, rtol=0)


@pytest.mark.parametrize("taps", [3, 7])
def test_volumes(taps: int) -> None:
    torch.manual_seed(taps)
    convolution = nn.Conv3d(6, 5, taps, padding=taps // 2).requires_grad_(False)
    x = torch.randn(1, 6, 5, 8, 12)
    got = WinogradConv(convolution.weight, convolution.bias)(x)
    torch.testing.assert_close(got, convolution(x), atol=2e-4, rtol=0)


@pytest.mark.parametrize(("height", "width"), [(12, 18), (8, 13), (64, 64)])
def test_tiles_of_six_fit_any_size(height: int, width: int) -> None:
    torch.manual_seed(0)
    convolution = nn.Conv2d(6, 5, 3, padding=1).requires_grad_(False)
    x = torch.randn(1, 6, height, width)
    got = WinogradConv(convolution.weight, convolution.bias, outputs=6)(x)
    torch.testing.assert_close(got, convolution(x), atol=1e-4, rtol=0)


def test_large_maps_are_taken_in_strips() -> None:
    torch.manual_seed(0)
    convolution = nn.Conv2d(2, 64, 3, padding=1).requires_grad_(False)
    x = torch.randn(1, 2, 256, 256)  # 43 rows of tiles, no multiple of the strips
    got = WinogradConv(convolution.weight, convolution.bias, outputs=6)(x)
    torch.testing.assert_close(got, convolution(x), atol=1e-4, rtol=0)


def test_compact_input_stands_for_one_whose_middle_is_repeated() -> None:
    torch.manual_seed(0)
    convolution = nn.Conv2d(6, 5, 3, padding=1).requires_grad_(False)
    compact = torch.randn(1, 6, 6, 9)
    index = [0, 1, 1, 2, 3, 4, 4, 5]
    whole = compact[:, :, index][..., [*index, 6, 7, 7, 8]]
    got = WinogradConv(convolution.weight, convolution.bias, compact=True)(compact)
    torch.testing.assert_close(got, convolution(whole), atol=1e-4, rtol=0)


def test_parts() -> None:
    torch.manual_seed(0)
    convolution = nn.Conv2d(6, 8, 3, padding=1).requires_grad_(False)
    x = torch.randn(1, 6, 8, 8)
    network = WinogradConv(convolution.weight, convolution.bias, parts=2)
    first, second = network.split(x)
    torch.testing.assert_close(torch.cat((first, second), 1), convolution(x), atol=1e-4, rtol=0)
    torch.testing.assert_close(network(x), convolution(x), atol=1e-4, rtol=0)
