"""Motion extractor M: a face crop -> keypoints, head pose, expression; a ConvNeXt V2.

Source: ``src/modules/convnextv2.py``, ``motion_extractor.py``; Woo et al., arXiv 2301.00808.
"""

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from liveportrait.networks.config import MotionConfig

_EPSILON = 1e-6


class MotionHeads(NamedTuple):
    """What the network says, untouched: ``liveportrait/animation/head_pose.py`` refines it."""

    pitch: Tensor  # [B, 66] logits of the bins
    yaw: Tensor  # [B, 66]
    roll: Tensor  # [B, 66]
    t: Tensor  # [B, 3]
    exp: Tensor  # [B, 63], keypoint by keypoint x, y, z
    scale: Tensor  # [B, 1]
    kp: Tensor  # [B, 63], canonical keypoints


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of [B, C, H, W]."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> the same shape."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class GlobalResponseNorm(nn.Module):
    """A channel is weighted by its energy in the picture against all channels' mean energy."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1, 1, 1, channels))
        self.beta = nn.Parameter(torch.zeros(1, 1, 1, channels))

    def forward(self, x: Tensor) -> Tensor:
        """[B, H, W, C] -> the same shape."""
        energy = torch.linalg.vector_norm(x, dim=(1, 2), keepdim=True)  # [B, 1, 1, C]
        share = energy / (energy.mean(dim=-1, keepdim=True) + _EPSILON)
        out: Tensor = self.gamma * (x * share) + self.beta + x
        return out


class Block(nn.Module):
    """Depthwise 7x7, layer norm, two pointwise layers with GELU and response norm between."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=_EPSILON)
        self.pwconv1 = nn.Linear(channels, 4 * channels)
        self.act = nn.GELU()
        self.grn = GlobalResponseNorm(4 * channels)
        self.pwconv2 = nn.Linear(4 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> the same shape."""
        out = self.norm(self.dwconv(x).permute(0, 2, 3, 1))  # [B, H, W, C]
        out = self.pwconv2(self.grn(self.act(self.pwconv1(out))))
        return x + out.permute(0, 3, 1, 2)  # type: ignore[no-any-return]


class ConvNextV2(nn.Module):
    """Four stages at 1/4 to 1/32 of the size, the mean over the picture, seven heads."""

    def __init__(self, config: MotionConfig) -> None:
        super().__init__()
        widths, numbers = config.widths, 3 * config.keypoints
        self.downsample_layers = nn.ModuleList(
            [nn.Sequential(nn.Conv2d(3, widths[0], 4, stride=4), ChannelNorm(widths[0], _EPSILON))]
        )
        for before, after in pairwise(widths):
            self.downsample_layers.append(
                nn.Sequential(ChannelNorm(before, _EPSILON), nn.Conv2d(before, after, 2, stride=2))
            )
        self.stages = nn.ModuleList(
            nn.Sequential(*(Block(width) for _ in range(depth)))
            for width, depth in zip(widths, config.depths, strict=True)
        )
        self.norm = nn.LayerNorm(widths[-1], eps=_EPSILON)
        self.fc_kp = nn.Linear(widths[-1], numbers)
        self.fc_scale = nn.Linear(widths[-1], 1)
        self.fc_pitch = nn.Linear(widths[-1], config.angle_bins)
        self.fc_yaw = nn.Linear(widths[-1], config.angle_bins)
        self.fc_roll = nn.Linear(widths[-1], config.angle_bins)
        self.fc_t = nn.Linear(widths[-1], 3)
        self.fc_exp = nn.Linear(widths[-1], numbers)

    def forward(self, x: Tensor) -> MotionHeads:
        """[B, 3, H, W] -> the heads."""
        for downsample, stage in zip(self.downsample_layers, self.stages, strict=True):
            x = stage(downsample(x))
        x = self.norm(x.mean(dim=(-2, -1)))  # [B, 768]
        return MotionHeads(
            pitch=self.fc_pitch(x),
            yaw=self.fc_yaw(x),
            roll=self.fc_roll(x),
            t=self.fc_t(x),
            exp=self.fc_exp(x),
            scale=self.fc_scale(x),
            kp=self.fc_kp(x),
        )


class MotionExtractor(nn.Module):
    """The network under the name its tensors carry, ``detector``."""

    def __init__(self, config: MotionConfig | None = None) -> None:
        super().__init__()
        self.config = config or MotionConfig()
        self.detector = ConvNextV2(self.config)

    def forward(self, image: Tensor) -> MotionHeads:
        """Image 0..1 [B, 3, 256, 256] -> the raw heads."""
        heads: MotionHeads = self.detector(image)
        return heads
