"""SPADE generator G: the warped feature -> the picture.

The feature enters twice: as the map that is decoded, and, at every normalisation, as the map that
says how to scale and shift it. Source: ``src/modules/spade_generator.py``, ``SPADEResnetBlock`` of
``util.py``; Park et al., arXiv 1903.07291.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from liveportrait.networks.config import GeneratorConfig
from liveportrait.networks.layers import SpectralNormConv2d

_SLOPE = 0.2


class Spade(nn.Module):
    """Instance norm, then scale and shift read from the feature at this size."""

    def __init__(self, channels: int, feature_channels: int, hidden: int) -> None:
        super().__init__()
        self.param_free_norm = nn.InstanceNorm2d(channels)
        self.mlp_shared = nn.Sequential(
            nn.Conv2d(feature_channels, hidden, 3, padding=1), nn.ReLU()
        )
        self.mlp_gamma = nn.Conv2d(hidden, channels, 3, padding=1)
        self.mlp_beta = nn.Conv2d(hidden, channels, 3, padding=1)

    def forward(self, x: Tensor, feature: Tensor) -> Tensor:
        """x [B, C, H, W], feature [B, 256, h, w] with H a multiple of h -> [B, C, H, W]."""
        feature = functional.interpolate(feature, size=x.shape[2:], mode="nearest")
        hidden = self.mlp_shared(feature)
        out: Tensor = self.param_free_norm(x) * (1 + self.mlp_gamma(hidden)) + self.mlp_beta(hidden)
        return out


class SpadeBlock(nn.Module):
    """Two normalised convolutions beside a shortcut, which is learned when channels change."""

    def __init__(self, channels_in: int, channels_out: int, config: GeneratorConfig) -> None:
        super().__init__()
        middle = min(channels_in, channels_out)
        sizes = (config.feature_channels, config.hidden_channels)
        self.learned_shortcut = channels_in != channels_out
        self.conv_0 = SpectralNormConv2d(channels_in, middle, 3)
        self.conv_1 = SpectralNormConv2d(middle, channels_out, 3)
        if self.learned_shortcut:
            self.conv_s = SpectralNormConv2d(channels_in, channels_out, 1, bias=False)
        self.norm_0 = Spade(channels_in, *sizes)
        self.norm_1 = Spade(middle, *sizes)
        if self.learned_shortcut:
            self.norm_s = Spade(channels_in, *sizes)

    def forward(self, x: Tensor, feature: Tensor) -> Tensor:
        """x [B, C, H, W], feature [B, 256, h, w] -> [B, C', H, W]."""
        out = self.conv_0(functional.leaky_relu(self.norm_0(x, feature), _SLOPE))
        out = self.conv_1(functional.leaky_relu(self.norm_1(out, feature), _SLOPE))
        shortcut = self.conv_s(self.norm_s(x, feature)) if self.learned_shortcut else x
        return shortcut + out  # type: ignore[no-any-return]


class SPADEGenerator(nn.Module):
    """Six blocks at the feature's size, two more after doublings, one last pixel shuffle."""

    def __init__(self, config: GeneratorConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or GeneratorConfig()
        narrow, wide = config.feature_channels, 2 * config.feature_channels
        self.fc = nn.Conv2d(narrow, wide, 3, padding=1)
        for i in range(config.middle_blocks):
            self.add_module(f"G_middle_{i}", SpadeBlock(wide, wide, config))
        self.up_0 = SpadeBlock(wide, narrow, config)
        self.up_1 = SpadeBlock(narrow, config.out_channels, config)
        self.up = nn.Upsample(scale_factor=2)  # nearest
        self.conv_img = nn.Sequential(
            nn.Conv2d(config.out_channels, 3 * config.upscale**2, 3, padding=1),
            nn.PixelShuffle(config.upscale),
        )

    @property
    def middle_blocks(self) -> list[SpadeBlock]:
        """The blocks at the feature's size, in order."""
        return [getattr(self, f"G_middle_{i}") for i in range(self.config.middle_blocks)]

    def forward(self, feature: Tensor) -> Tensor:
        """Feature [B, 256, 64, 64] -> picture 0..1 [B, 3, 512, 512]."""
        x = self.fc(feature)  # [B, 512, 64, 64]
        for block in self.middle_blocks:
            x = block(x, feature)
        x = self.up_0(self.up(x), feature)  # [B, 256, 128, 128]
        x = self.up_1(self.up(x), feature)  # [B, 64, 256, 256]
        return torch.sigmoid(self.conv_img(functional.leaky_relu(x, _SLOPE)))
