"""The GPU's algebra, on small maps: equal to the convolutions as they are written."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from liveportrait.networks.networks import Networks
from liveportrait.runtime.cuda_generator import CudaSpadeBlock, plane_norm
from liveportrait.runtime.cuda_warping import DepthSplitMask, half_size, missing_channels
from liveportrait.runtime.offset_phases import OffsetPhaseConv


def randn(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_phases_are_the_convolution_of_the_upsampled_map(scale: int) -> None:
    weight, bias, x = randn(5, 7, 3, 3), randn(5), randn(2, 7, 6, 8)
    upsampled = functional.interpolate(x, scale_factor=float(scale), mode="nearest")
    expected = functional.conv2d(upsampled, weight, bias, padding=1)
    conv = OffsetPhaseConv(weight, bias, scale)
    assert torch.allclose(conv(x), expected, atol=5e-5)
    assert torch.allclose(
        conv(x.contiguous(memory_format=torch.channels_last)), expected, atol=5e-5
    )


def test_phases_of_volumes_leave_the_depth() -> None:
    weight, x = randn(5, 7, 3, 3, 3), randn(2, 7, 3, 6, 8)
    upsampled = functional.interpolate(x, scale_factor=(1.0, 2.0, 2.0), mode="nearest")
    expected = functional.conv3d(upsampled, weight, padding=1)
    conv = OffsetPhaseConv(weight, None)
    assert torch.allclose(conv(x), expected, atol=1e-4)
    turned = x.contiguous(memory_format=torch.channels_last_3d)
    assert torch.allclose(conv(turned), expected, atol=1e-4)
    with pytest.raises(ValueError, match="scale 4 of phases for 2"):
        conv(x, 4)


@pytest.mark.parametrize("depth", [1, 2, 16])
def test_the_split_mask_is_the_volume_convolution(depth: int) -> None:
    mask = nn.Conv3d(6, 22, 7, padding=3).requires_grad_(False)
    nn.init.normal_(mask.weight, generator=torch.Generator().manual_seed(0))
    x = randn(2, 6, depth, 5, 4)
    split = DepthSplitMask(mask, missing_channels(6))
    with_zeros = functional.pad(x, (0, 0, 0, 0, 0, 0, 0, 2))
    assert torch.allclose(split(with_zeros).permute(0, 4, 1, 2, 3), mask(x), atol=1e-3)
    assert split.conv.weight.shape[:2] == (160, 8)


@pytest.mark.parametrize(("name", "scale"), [("G_middle_0", 1), ("up_0", 2), ("up_1", 4)])
def test_a_generator_block_is_the_written_one(seeded: Networks, name: str, scale: int) -> None:
    block = getattr(seeded.generator, name)
    feature = randn(2, 256, 4, 6)
    x = randn(2, block.conv_0.weight_orig.shape[1], *(max(1, scale // 2) * n for n in (4, 6)))
    upsampled = x if scale == 1 else functional.interpolate(x, scale_factor=2.0, mode="nearest")
    with torch.inference_mode():
        expected = block(upsampled, feature)
        ours = CudaSpadeBlock(block, scale)(x, feature)
    assert torch.allclose(ours, expected, atol=2e-4 * float(expected.abs().max()))


def test_halving_is_the_same_in_both_memory_formats() -> None:
    x = randn(2, 3, 4, 6, 8)
    turned = half_size(x.contiguous(memory_format=torch.channels_last_3d))
    assert torch.allclose(turned, half_size(x))
    assert turned.is_contiguous(memory_format=torch.channels_last_3d)


@pytest.mark.parametrize("form", [torch.contiguous_format, torch.channels_last])
def test_the_half_precision_norm_has_float32_statistics(form: torch.memory_format) -> None:
    x = (3 * randn(2, 5, 64, 32) + 20).to(torch.bfloat16).contiguous(memory_format=form)
    expected = functional.instance_norm(x.float())
    ours = plane_norm(x)
    assert ours.dtype is torch.bfloat16
    assert ours.is_contiguous(memory_format=form)
    # the mean, 20 / 3 standard deviations off zero, is right to half the last bit of bfloat16
    assert (ours.float() - expected).abs().max() < 8 * 2**-8
    assert ours.float().mean(dim=(2, 3)).abs().max() < 8 * 2**-9 * 1.1


def test_channels_come_in_eights() -> None:
    assert [missing_channels(n) for n in (110, 142, 154, 64)] == [2, 2, 6, 0]
    assert np.all([(n + missing_channels(n)) % 8 == 0 for n in range(1, 50)])
