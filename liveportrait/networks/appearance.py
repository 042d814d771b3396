"""Appearance feature extractor F: a face crop -> a feature volume.

Source: ``src/modules/appearance_feature_extractor.py``.
"""

from torch import Tensor, nn

from liveportrait.networks.config import AppearanceConfig
from liveportrait.networks.layers import DownBlock2d, ResBlock3d, SameBlock2d


class AppearanceFeatureExtractor(nn.Module):
    """2-D convolutions to 1/4 of the size, channels split into depth, 3-D residual blocks."""

    def __init__(self, config: AppearanceConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or AppearanceConfig()
        widths = [
            min(config.max_features, config.block_expansion * 2**i)
            for i in range(config.down_blocks + 1)
        ]
        self.first = SameBlock2d(config.image_channels, config.block_expansion, nn.ReLU())
        self.down_blocks = nn.ModuleList(
            DownBlock2d(widths[i], widths[i + 1]) for i in range(config.down_blocks)
        )
        self.second = nn.Conv2d(widths[-1], config.max_features, 1)
        self.resblocks_3d = nn.Sequential()
        for i in range(config.residual_blocks):
            self.resblocks_3d.add_module(f"3dr{i}", ResBlock3d(config.volume_channels))

    def forward(self, image: Tensor) -> Tensor:
        """Image 0..1 [B, 3, H, W] -> feature volume [B, 32, 16, H/4, W/4]; H = W = 256."""
        out = self.first(image)  # [B, 64, H, W]
        for block in self.down_blocks:
            out = block(out)
        out = self.second(out)  # [B, 512, H/4, W/4]
        volume = out.unflatten(1, (self.config.volume_channels, self.config.volume_depth))
        return self.resblocks_3d(volume)  # type: ignore[no-any-return]
