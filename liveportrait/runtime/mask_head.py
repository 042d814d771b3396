"""The convolutions of dense motion with their algebra done: hourglass, mask, occlusion.

The up blocks convolve nearest-upsampled volumes: nine products at the low resolution
(``phase_conv``). Large volumes are convolved by Winograd in height and width and directly in depth
(``winograd``): the mask's 7x7x7 kernel, more than a third of the warping module's work, then takes
an eighth of it. Small volumes stay as they are: there the weights weigh more than the work.
Batch norms are folded first (``fold``).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from liveportrait.networks.dense_motion import DenseMotionNetwork
from liveportrait.networks.layers import DownBlock3d, UpBlock3d
from liveportrait.runtime.fold import folded_module, plain_convolution
from liveportrait.runtime.phase_conv import UpsampledConv
from liveportrait.runtime.winograd import WinogradConv

_SMALLEST_FOR_WINOGRAD = 16  # height in pixels
_CHANNEL_BLOCK = 8  # of the CPU's vector convolutions


class FastDown(nn.Module):
    """DownBlock3d without its norm."""

    def __init__(self, block: DownBlock3d, *, winograd: bool) -> None:
        super().__init__()
        weight, bias = block.conv.weight, block.conv.bias
        self.conv = WinogradConv(weight, bias) if winograd else plain_convolution(weight, bias)

    def forward(self, x: Tensor) -> Tensor:
        return functional.avg_pool3d(functional.relu(self.conv(x)), (1, 2, 2))


class FastUp(nn.Module):
    """UpBlock3d at the low resolution."""

    def __init__(self, block: UpBlock3d) -> None:
        super().__init__()
        self.conv = UpsampledConv(block.conv.weight, block.conv.bias)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.conv(x))


class FastPredictor(nn.Module):
    """``DenseMotionNetwork.predict`` on the same weights. ``winograd`` is for float32 alone."""

    def __init__(self, network: DenseMotionNetwork, *, winograd: bool) -> None:
        super().__init__()
        network = folded_module(network)
        height = network.config.volume_height
        down, up = network.hourglass.encoder, network.hourglass.decoder
        self.down_blocks = nn.ModuleList(
            FastDown(block, winograd=winograd and height >> i >= _SMALLEST_FOR_WINOGRAD)
            for i, block in enumerate(down.down_blocks)
        )
        self.up_blocks = nn.ModuleList(FastUp(block) for block in up.up_blocks)
        last, mask = (up.conv.weight, up.conv.bias), (network.mask.weight, network.mask.bias)
        if winograd:
            self.last, self.mask = WinogradConv(*last), WinogradConv(*mask)
        else:
            self.last, self.mask = plain_convolution(*last), plain_convolution(*mask)
        self.occlusion = plain_convolution(network.occlusion.weight, network.occlusion.bias)

    def forward(self, hourglass_input: Tensor) -> tuple[Tensor, Tensor]:
        """[B, 110, D, H, W] -> mask logits [B, K + 1, D, H, W], occlusion map [B, 1, H, W]."""
        skips = [hourglass_input]
        for down in self.down_blocks:
            skips.append(down(skips[-1]))
        out = skips.pop()
        for up in self.up_blocks:
            out = torch.cat((up(out), skips.pop()), dim=1)
        prediction = functional.relu(self.last(out))
        occlusion_map = torch.sigmoid(self.occlusion(prediction.flatten(1, 2)))
        return self.mask(prediction), occlusion_map
