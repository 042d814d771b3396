"""The SPADE generator as a GPU likes it: the same picture from fewer, larger pieces.

- Spectral norm is a division of constants.
- Instance norm, and any pixelwise function, commutes with nearest upsampling, because the mean and
  the variance of repeated pixels are those of the pixels.
- ``mlp_shared`` of all normalisations of a block are one convolution of the same feature; where
  the feature is upsampled, at its own size (``offset_phases``).
- gamma and beta are one convolution, the 1 of ``1 + gamma`` in its bias.
- The learned shortcut has no activation between normalisation and 1x1 convolution, so the
  convolution of beta and ``conv_s`` are one: ``conv_s(n (1 + gamma) + beta(h)) =
  conv_s(n (1 + gamma)) + (conv_s beta)(h)``.
- The last convolution's 12 channels are 16, as tensor cores count in eights.
- Channels stay innermost throughout: torch's instance norm would turn every map twice.

Exact up to rounding.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from liveportrait.networks.generator import Spade, SpadeBlock, SPADEGenerator
from liveportrait.runtime.cuda_warping import missing_channels, padded
from liveportrait.runtime.fold import plain_convolution
from liveportrait.runtime.offset_phases import OffsetPhaseConv
from liveportrait.runtime.spade_weights import (
    block_spades,
    gain_shift_tensors,
    gain_tensors,
    mixed_shift_tensors,
    shared_tensors,
    tensors,
)

_SLOPE = 0.2
_EPSILON = 1e-5


def plane_norm(x: Tensor) -> Tensor:
    """Instance norm of [B, C, H, W] in whatever memory format: statistics in float32.

    Half-precision sums go straight into float32, without a copy of the map in that type.
    """
    if x.dtype is torch.float32:
        return functional.instance_norm(x)
    pixels = x.shape[2] * x.shape[3]
    mean = x.sum(dim=(2, 3), keepdim=True, dtype=torch.float32) / pixels
    norm = torch.linalg.vector_norm(x, dim=(2, 3), keepdim=True, dtype=torch.float32)
    variance = (norm.square() / pixels - mean.square()).clamp_min(0)
    gain = torch.rsqrt(variance + _EPSILON).to(x.dtype)
    # of the gain as rounded: else its error would move the mean of the result
    return torch.addcmul((-mean * gain).to(x.dtype), x, gain)


class CudaSpade(nn.Module):
    """Scale and shift of one normalisation, and the activation after it."""

    def __init__(self, spade: Spade) -> None:
        super().__init__()
        self.conv = plain_convolution(*gain_shift_tensors(spade))

    def forward(self, normalised: Tensor, hidden: Tensor) -> Tensor:
        """[B, C, H, W], [B, 128, H, W] -> [B, C, H, W]."""
        gain, shift = self.conv(hidden).chunk(2, dim=1)
        return functional.leaky_relu(torch.addcmul(shift, normalised, gain), _SLOPE)


class CudaSpadeBlock(nn.Module):
    """A block; ``scale`` is its size over the feature's."""

    def __init__(self, block: SpadeBlock, scale: int) -> None:
        super().__init__()
        self.scale = scale
        spades = block_spades(block)
        self.parts = len(spades)
        self.shared = shared_convolution(spades, scale)
        self.norm_0, self.norm_1 = CudaSpade(block.norm_0), CudaSpade(block.norm_1)
        self.conv_0 = plain_convolution(block.conv_0.normalised_weight(), block.conv_0.bias)
        self.conv_1 = plain_convolution(block.conv_1.normalised_weight(), block.conv_1.bias)
        self.learned_shortcut = block.learned_shortcut
        if self.learned_shortcut:
            mix = block.conv_s.normalised_weight()  # [O, I, 1, 1]
            self.gain_s = plain_convolution(*gain_tensors(block.norm_s))
            self.shift_s = plain_convolution(*mixed_shift_tensors(block.norm_s, mix))
            self.conv_s = plain_convolution(mix, None)

    def forward(self, x: Tensor, feature: Tensor) -> Tensor:
        """x [B, C, H, W], not yet upsampled when the scale is not 1 -> [B, C', ...]."""
        # relu part by part: a part of a map with channels innermost is no whole map, its relu is
        hidden = [functional.relu(h) for h in self.shared(feature).chunk(self.parts, dim=1)]
        normalised = plane_norm(x)
        if self.scale > 1:
            normalised = functional.interpolate(normalised, scale_factor=2.0, mode="nearest")
        out = self.conv_0(self.norm_0(normalised, hidden[0]))
        out = self.conv_1(self.norm_1(plane_norm(out), hidden[1]))
        if not self.learned_shortcut:
            return x + out  # type: ignore[no-any-return]
        shortcut = self.conv_s(normalised * self.gain_s(hidden[2]))
        return out + shortcut + self.shift_s(hidden[2])  # type: ignore[no-any-return]


class CudaGenerator(nn.Module):
    """``SPADEGenerator`` on the same weights; the network given stays as it is.

    The picture is float32 whatever the precision: a sigmoid in bfloat16 knows 128 grey levels
    above a half, fewer than the picture shows.
    """

    def __init__(self, generator: SPADEGenerator) -> None:
        super().__init__()
        self.fc = plain_convolution(generator.fc.weight, generator.fc.bias)
        self.middle = nn.ModuleList(CudaSpadeBlock(x, 1) for x in generator.middle_blocks)
        self.up_0 = CudaSpadeBlock(generator.up_0, 2)
        self.up_1 = CudaSpadeBlock(generator.up_1, 4)
        weight, bias = tensors(generator.conv_img[0])
        self.channels, extra = len(weight), missing_channels(len(weight))
        self.last = plain_convolution(
            padded(weight, outputs=extra), functional.pad(bias, (0, extra))
        )
        self.upscale = generator.config.upscale

    def forward(self, feature: Tensor) -> Tensor:
        """Feature [B, 256, 64, 64] -> picture 0..1, float32 [B, 3, 512, 512]."""
        x = self.fc(feature)
        for block in self.middle:
            x = block(x, feature)
        x = self.up_1(self.up_0(x, feature), feature)
        out = self.last(functional.leaky_relu(x, _SLOPE))[:, : self.channels]
        return torch.sigmoid(functional.pixel_shuffle(out.float(), self.upscale))


def shared_convolution(spades: Sequence[Spade], scale: int) -> nn.Module:
    """``mlp_shared`` of several normalisations in one, from the feature's own size."""
    weight, bias = shared_tensors(spades)
    return OffsetPhaseConv(weight, bias, scale) if scale > 1 else plain_convolution(weight, bias)
