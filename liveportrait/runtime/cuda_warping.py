"""The warping module as a GPU likes it: the same numbers from fewer, larger pieces.

- Batch norms are folded into their convolutions (``fold``).
- The up blocks of the hourglass convolve at the low resolution (``offset_phases``).
- The hourglass's widest maps have 110 and 142 channels. Tensor cores take eights, so zero channels
  make them 112 and 144.
- The mask's 7x7x7 convolution gives 22 channels, too few for a tensor core's tile. As a 7x7
  convolution of every depth slice that gives all seven depth taps at once, it has 154; the seven
  are then added in float32, each from its own slice.
- The occlusion map's one channel is 49, one per tap, moved into place afterwards (``mask_head``).
- A Gaussian in space is a product of three in a line, and the mix of the proposals is the grid plus
  the mix of their shifts, because the mask sums to one (``warp``).

Exact up to rounding. Keypoints, coordinates, sampling and the softmax are float32.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from liveportrait.networks.dense_motion import DenseMotionNetwork
from liveportrait.networks.sampling import sample_volume
from liveportrait.networks.warping import WarpingNetwork
from liveportrait.runtime.fold import folded_module, plain_convolution
from liveportrait.runtime.mask_head import OcclusionHead
from liveportrait.runtime.offset_phases import OffsetPhaseConv

CHANNEL_MULTIPLE = 8


def missing_channels(channels: int) -> int:
    """How many zero channels make it a multiple of eight."""
    return -channels % CHANNEL_MULTIPLE


def padded(weight: Tensor, inputs: int = 0, outputs: int = 0) -> Tensor:
    """[O, I, ...] with zero channels after both."""
    zeros = (0, 0) * (weight.ndim - 2)
    return functional.pad(weight.detach(), (*zeros, 0, inputs, 0, outputs))


class DepthSplitMask(nn.Module):
    """The 7x7x7 convolution, tap by tap of the depth in its channels."""

    def __init__(self, mask: nn.Conv3d, extra_inputs: int) -> None:
        super().__init__()
        weight = padded(mask.weight, inputs=extra_inputs)  # [P, C, 7, 7, 7]
        self.proposals, self.taps = weight.shape[0], weight.shape[2]
        by_tap = weight.permute(2, 0, 1, 3, 4).flatten(0, 1)  # [7 P, C, 7, 7]
        self.unused = missing_channels(len(by_tap))
        self.conv = plain_convolution(padded(by_tap, outputs=self.unused), None)
        assert mask.bias is not None
        self.bias = nn.Parameter(mask.bias.detach().clone(), requires_grad=False)

    def forward(self, prediction: Tensor) -> Tensor:
        """[B, C, D, H, W] -> logits float32 [B, D, H, W, P]."""
        depth = prediction.shape[2]
        slices = prediction.transpose(1, 2).flatten(0, 1)  # [B D, C, H, W]
        parts: Tensor = self.conv(slices)[:, : self.taps * self.proposals]
        parts = parts.permute(0, 2, 3, 1)  # [B D, H, W, 7 P]
        parts = parts.reshape(-1, depth, *parts.shape[1:3], self.taps, self.proposals)
        out = self.bias.float() + parts[..., self.taps // 2, :].float()
        for tap in range(self.taps):
            offset = tap - self.taps // 2  # this tap reads the slice so much deeper
            if offset and abs(offset) < depth:
                here = slice(max(0, -offset), depth - max(0, offset))
                there = slice(max(0, offset), depth + min(0, offset))
                out[:, here] += parts[:, there, :, :, tap]
        return out


class CudaWarping(nn.Module):
    """``WarpingNetwork`` on the same weights; the network given stays as it is."""

    def __init__(self, network: WarpingNetwork) -> None:
        super().__init__()
        network = folded_module(network)
        dense = network.dense_motion_network
        self.variance = network.config.dense_motion.keypoint_variance
        hourglass = dense.hourglass
        first, *rest = map(convolution_of, hourglass.encoder.down_blocks)
        self.extra_inputs = missing_channels(first.in_channels)
        extra = missing_channels(hourglass.out_channels)
        if extra != self.extra_inputs:
            raise ValueError("the hourglass's skip connection would need other zero channels")
        padded_first = plain_convolution(padded(first.weight, inputs=extra), first.bias)
        self.down = nn.ModuleList([padded_first, *rest])
        self.up = nn.ModuleList(
            OffsetPhaseConv(convolution.weight, convolution.bias)
            for convolution in map(convolution_of, hourglass.decoder.up_blocks)
        )
        last = hourglass.decoder.conv
        assert last.bias is not None
        weight = padded(last.weight, extra, extra)
        self.last = plain_convolution(weight, functional.pad(last.bias.detach(), (0, extra)))
        self.mask = DepthSplitMask(dense.mask, extra)
        self.occlusion = occlusion_head(dense, extra)
        self.compress, self.grid = dense.compress, dense.grid
        self.third, self.fourth = network.third, network.fourth

    def forward(self, feature: Tensor, *, kp_driving: Tensor, kp_source: Tensor) -> Tensor:
        """Feature [B, 32, 16, 64, 64], float32 keypoints [B, K, 3] -> feature [B, 256, 64, 64]."""
        grid = self.grid(torch.float32)  # [D, H, W, 3]
        shifts = kp_source - kp_driving
        shifts = torch.cat((torch.zeros_like(shifts[:, :1]), shifts), dim=1)  # [B, P, 3]
        inputs = self._hourglass_input(feature, grid, shifts, kp_driving, kp_source)
        prediction = self._hourglass(inputs)
        mask = torch.softmax(self.mask(prediction), dim=-1)  # [B, D, H, W, P]
        moved = mask.flatten(1, 3) @ shifts  # [B, D H W, 3]
        warped = sample_volume(feature, grid + moved.reshape(-1, *grid.shape))
        out = self.fourth(self.third(warped.flatten(1, 2)))
        return out * self.occlusion(prediction)  # type: ignore[no-any-return]

    def _hourglass_input(
        self, feature: Tensor, grid: Tensor, shifts: Tensor, kp_driving: Tensor, kp_source: Tensor
    ) -> Tensor:
        """Heatmap and compressed feature after each proposal, [B, 5 P and zeros, D, H, W]."""
        compressed = functional.relu(self.compress(feature))  # [B, 4, D, H, W]
        proposals = shifts.shape[1]
        coordinates = (grid + shifts[:, :, None, None, None, :]).flatten(0, 1)
        repeated = compressed[:, None].expand(-1, proposals, -1, -1, -1, -1).flatten(0, 1)
        deformed = sample_volume(repeated, coordinates)
        deformed = deformed.reshape(-1, proposals, *deformed.shape[1:])
        heatmaps = self._gaussians(grid, kp_driving) - self._gaussians(grid, kp_source)
        still = torch.zeros_like(heatmaps[:, :1])
        heatmaps = torch.cat((still, heatmaps), dim=1).to(deformed.dtype).unsqueeze(2)
        joined = torch.cat((heatmaps, deformed), dim=2).flatten(1, 2)
        return functional.pad(joined, (0, 0, 0, 0, 0, 0, 0, self.extra_inputs))

    def _gaussians(self, grid: Tensor, keypoints: Tensor) -> Tensor:
        """[B, K, 3] -> [B, K, D, H, W]."""
        lines = (grid[0, 0, :, 0], grid[0, :, 0, 1], grid[:, 0, 0, 2])
        x, y, z = (
            torch.exp(-0.5 * (line - keypoints[..., axis, None]).square() / self.variance)
            for axis, line in enumerate(lines)
        )  # [B, K, W], [B, K, H], [B, K, D]
        plane = z.unsqueeze(-1) * y.unsqueeze(-2)
        return plane.unsqueeze(-1) * x[:, :, None, None, :]

    @property
    def form(self) -> torch.memory_format:
        """How the weights of volumes lie in memory (``frame_network.Layout``)."""
        innermost = self.last.weight.stride(1) == 1
        return torch.channels_last_3d if innermost else torch.contiguous_format

    def _hourglass(self, inputs: Tensor) -> Tensor:
        """[B, 112, D, H, W] -> [B, 144, D, H, W]; the zero channels stay zero."""
        # turned once, here: both the first and the last convolution read it
        skips = [inputs.contiguous(memory_format=self.form)]
        for down in self.down:
            skips.append(half_size(functional.relu(down(skips[-1]))))
        out = skips.pop()
        for up in self.up:
            out = torch.cat((functional.relu(up(out)), skips.pop()), dim=1)
        return functional.relu(self.last(out))


def convolution_of(block: nn.Module) -> nn.Conv3d:
    """The convolution of an up or down block."""
    convolution = block.conv
    assert isinstance(convolution, nn.Conv3d)
    return convolution


def half_size(x: Tensor) -> Tensor:
    """Mean of 2x2 pixels of every slice: [B, C, D, H, W] -> [B, C, D, H/2, W/2]."""
    if x.is_contiguous():
        return functional.avg_pool3d(x, (1, 2, 2))
    # torch's 3-D pooling would turn the memory; the slices of such a volume are planes as they lie
    planes = functional.avg_pool2d(x.transpose(1, 2).flatten(0, 1), 2)
    return planes.reshape(len(x), -1, *planes.shape[1:]).transpose(1, 2)


def occlusion_head(dense: DenseMotionNetwork, extra: int) -> OcclusionHead:
    """The occlusion map's convolution for a prediction with zero channels behind."""
    channels, depth = dense.mask.in_channels, dense.config.volume_depth
    weight = dense.occlusion.weight.detach()
    by_depth = weight.reshape(1, channels, depth, *weight.shape[2:])
    weight = functional.pad(by_depth, (0, 0, 0, 0, 0, 0, 0, extra)).flatten(1, 2)
    return OcclusionHead(
        plain_convolution_2d(weight, dense.occlusion.bias), channels + extra, depth
    )


def plain_convolution_2d(weight: Tensor, bias: Tensor | None) -> nn.Conv2d:
    """``plain_convolution`` of a 4-D weight."""
    convolution = plain_convolution(weight, bias)
    assert isinstance(convolution, nn.Conv2d)
    return convolution
