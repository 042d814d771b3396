"""The SPADE generator with its algebra done: the same picture from less work.

What is exact, for any weights:

- Spectral norm is a division of constants.
- Instance norm, and any pixelwise function, commutes with nearest upsampling: ``norm(up(x)) =
  up(norm(x))``, because the mean and the variance of repeated pixels are those of the pixels.
- ``mlp_shared`` is a 3x3 convolution of the upsampled feature: ``phase_conv``. In the last block,
  four times the feature's size, its output has only three different rows and columns in four.
- All normalisations of a size read the same feature, so their ``mlp_shared`` are one convolution;
  gamma and beta of one normalisation are another, the 1 of ``1 + gamma`` in its bias.
- The learned shortcut has no activation between normalisation and 1x1 convolution, so the
  convolution of beta and ``conv_s`` are one: ``conv_s(n (1 + gamma) + beta(h)) =
  conv_s(n (1 + gamma)) + (conv_s beta)(h)``, with fewer channels out.

Counted at the official sizes, a picture takes 722.6 GFLOP for 891.6; the two up blocks 335.1 for
504.1. In float32 the remaining 3x3 convolutions can be Winograd's (``winograd``): 180.1 GFLOP.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from liveportrait.networks.generator import Spade, SpadeBlock, SPADEGenerator
from liveportrait.runtime.fold import Convolution, plain_convolution
from liveportrait.runtime.phase_conv import UpsampledConv
from liveportrait.runtime.spade_weights import (
    block_spades,
    gain_shift_tensors,
    gain_tensors,
    mixed_shift_tensors,
    shared_tensors,
)
from liveportrait.runtime.winograd import WinogradConv, interleave

_SLOPE = 0.2


def convolution(
    weight: Tensor, bias: Tensor | None, *, winograd: bool
) -> WinogradConv | Convolution:
    """A 3x3 convolution with padding, by Winograd or directly."""
    return WinogradConv(weight, bias, outputs=6) if winograd else plain_convolution(weight, bias)


class FastSpade(nn.Module):
    """gamma + 1 and beta of one normalisation, from the hidden map."""

    def __init__(self, spade: Spade, *, winograd: bool, compact: bool) -> None:
        super().__init__()
        weight, bias = gain_shift_tensors(spade)
        self.conv: nn.Module = plain_convolution(weight, bias)
        if winograd:
            self.conv = WinogradConv(
                weight, bias, compact=compact, parts=2, outputs=4 if compact else 6
            )

    def forward(self, normalised: Tensor, hidden: Tensor) -> Tensor:
        if isinstance(self.conv, WinogradConv):
            gain, shift = self.conv.split(hidden)
        else:
            gain, shift = self.conv(hidden).chunk(2, dim=1)
        return functional.leaky_relu(normalised * gain + shift, _SLOPE)


def hidden_convolution(weight: Tensor, bias: Tensor, *, winograd: bool, compact: bool) -> nn.Module:
    if winograd:
        return WinogradConv(weight, bias, compact=compact, outputs=4 if compact else 6)
    return plain_convolution(weight, bias)


class FastSpadeBlock(nn.Module):
    """A block; ``scale`` is its size over the feature's."""

    def __init__(self, block: SpadeBlock, scale: int, *, winograd: bool) -> None:
        super().__init__()
        self.scale, self.winograd = scale, winograd
        self.compact = winograd and scale == 4
        modes = {"winograd": winograd, "compact": self.compact}
        weight, bias = shared_tensors(block_spades(block))
        self.shared: nn.Module
        if scale == 1:
            self.shared = convolution(weight, bias, winograd=winograd)
        else:
            self.shared = UpsampledConv(weight, bias)
        self.norm_0 = FastSpade(block.norm_0, **modes)
        self.norm_1 = FastSpade(block.norm_1, **modes)
        self.conv_0 = convolution(
            block.conv_0.normalised_weight(), block.conv_0.bias, winograd=winograd
        )
        self.conv_1 = convolution(
            block.conv_1.normalised_weight(), block.conv_1.bias, winograd=winograd
        )
        self.learned_shortcut = block.learned_shortcut
        if self.learned_shortcut:
            mix = block.conv_s.normalised_weight()  # [O, I, 1, 1]
            weight, bias = gain_tensors(block.norm_s)
            self.gain_s = hidden_convolution(weight, bias, **modes)
            weight, bias = mixed_shift_tensors(block.norm_s, mix)
            self.shift_s = hidden_convolution(weight, bias, **modes)
            self.conv_s = plain_convolution(mix, None)

    def forward(self, x: Tensor, feature: Tensor) -> Tensor:
        """x [B, C, H, W], not yet upsampled when the scale is not 1 -> [B, C', ...]."""
        hidden = self._hidden(feature)
        normalised = self._upsampled(functional.instance_norm(x))
        out = self.conv_0(self.norm_0(normalised, hidden[0]))
        out = self.conv_1(self.norm_1(functional.instance_norm(out), hidden[1]))
        if not self.learned_shortcut:
            return x + out  # type: ignore[no-any-return]
        shortcut = self.conv_s(normalised * self.gain_s(hidden[2])) + self.shift_s(hidden[2])
        return out + shortcut  # type: ignore[no-any-return]

    def _hidden(self, feature: Tensor) -> tuple[Tensor, ...]:
        if self.compact and isinstance(self.shared, UpsampledConv):
            out = interleave(self.shared.phases(feature))
        elif self.scale > 1:
            out = self.shared(feature, self.scale)
        else:
            out = self.shared(feature)
        return functional.relu(out).chunk(3 if self.learned_shortcut else 2, dim=1)

    def _upsampled(self, x: Tensor) -> Tensor:
        return functional.interpolate(x, scale_factor=2.0, mode="nearest") if self.scale > 1 else x


class FastGenerator(nn.Module):
    """SPADEGenerator's forward on the same weights. ``winograd`` is for float32 alone."""

    def __init__(self, generator: SPADEGenerator, *, winograd: bool) -> None:
        super().__init__()
        self.fc = convolution(generator.fc.weight, generator.fc.bias, winograd=winograd)
        self.middle = nn.ModuleList(
            FastSpadeBlock(block, 1, winograd=winograd) for block in generator.middle_blocks
        )
        self.up_0 = FastSpadeBlock(generator.up_0, 2, winograd=winograd)
        self.up_1 = FastSpadeBlock(generator.up_1, 4, winograd=winograd)
        self.conv_img = generator.conv_img

    def forward(self, feature: Tensor) -> Tensor:
        """Feature [B, 256, 64, 64] -> picture 0..1 [B, 3, 512, 512]."""
        x = self.fc(feature)
        for block in self.middle:
            x = block(x, feature)
        x = self.up_1(self.up_0(x, feature), feature)
        return torch.sigmoid(self.conv_img(functional.leaky_relu(x, _SLOPE)))
