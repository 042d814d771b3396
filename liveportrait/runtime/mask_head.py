"""The convolutions of dense motion with their algebra done: hourglass, mask, occlusion.

The up blocks convolve nearest-upsampled volumes: nine products at the low resolution
(``phase_conv``). Large volumes are convolved by Winograd in height and width and directly in depth
(``winograd``): the mask's 7x7x7 kernel, more than a third of the warping module's work, then takes
an eighth of it. Small volumes stay as they are: there the weights weigh more than the work.
Batch norms are folded first (``fold``). Counted at the official sizes: 283.1 GFLOP for 331.9, and
74.6 with Winograd's convolutions.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from liveportrait.networks.dense_motion import DenseMotionNetwork
from liveportrait.networks.layers import DownBlock3d, UpBlock3d
from liveportrait.runtime.fold import Convolution, folded_module, plain_convolution
from liveportrait.runtime.phase_conv import UpsampledConv
from liveportrait.runtime.winograd import WinogradConv

_SMALLEST_FOR_WINOGRAD = 8  # height in pixels


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


class OcclusionHead(nn.Module):
    """The 7x7 convolution of all depths and channels to one map.

    One output channel leaves a vector unit idle. So every tap becomes an output of its own, a
    convolution over depth alone; the taps are then moved into place and added.
    """

    def __init__(self, convolution: nn.Conv2d, channels: int, depth: int) -> None:
        super().__init__()
        weight = convolution.weight.detach()  # [1, C * D, 7, 7]
        size = weight.shape[-1]
        by_tap = weight[0].reshape(channels, depth, size * size).permute(2, 0, 1)
        self.by_tap = nn.Parameter(by_tap[..., None, None].contiguous(), requires_grad=False)
        place = torch.eye(size * size).reshape(1, size * size, size, size)
        self.place = plain_convolution(place, convolution.bias)

    def forward(self, prediction: Tensor) -> Tensor:
        """[B, C, D, H, W] -> [B, 1, H, W], 0..1."""
        taps = functional.conv3d(prediction, self.by_tap)  # [B, 49, 1, H, W]
        return torch.sigmoid(self.place(taps.flatten(1, 2)))


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
            if isinstance(block, DownBlock3d)
        )
        self.up_blocks = nn.ModuleList(
            FastUp(block) for block in up.up_blocks if isinstance(block, UpBlock3d)
        )
        last, mask = (up.conv.weight, up.conv.bias), (network.mask.weight, network.mask.bias)
        self.last: WinogradConv | Convolution
        self.mask: WinogradConv | Convolution
        if winograd:
            self.last, self.mask = WinogradConv(*last), WinogradConv(*mask)
        else:
            self.last, self.mask = plain_convolution(*last), plain_convolution(*mask)
        self.occlusion = OcclusionHead(
            network.occlusion, network.mask.in_channels, network.config.volume_depth
        )

    def forward(self, hourglass_input: Tensor) -> tuple[Tensor, Tensor]:
        """[B, 110, D, H, W] -> mask logits [B, K + 1, D, H, W], occlusion map [B, 1, H, W]."""
        skips = [hourglass_input]
        for down in self.down_blocks:
            skips.append(down(skips[-1]))
        out = skips.pop()
        for up in self.up_blocks:
            out = torch.cat((up(out), skips.pop()), dim=1)
        prediction = functional.relu(self.last(out))
        return self.mask(prediction), self.occlusion(prediction)
