"""Warping module W: the source's feature volume, moved from its keypoints to the driving ones.

Source: ``src/modules/warping_network.py``.
"""

from typing import NamedTuple

from torch import Tensor, nn

from liveportrait.networks.config import WarpingConfig
from liveportrait.networks.dense_motion import DenseMotionNetwork
from liveportrait.networks.layers import SameBlock2d
from liveportrait.networks.sampling import sample_volume


class WarpOutput(NamedTuple):
    """The generator's input, and how it came about."""

    out: Tensor  # [B, 256, H, W]
    occlusion_map: Tensor  # [B, 1, H, W]
    deformation: Tensor  # [B, D, H, W, 3]


class WarpingNetwork(nn.Module):
    """Estimates the deformation, reads the volume there, and flattens it to a 2-D feature."""

    def __init__(self, config: WarpingConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or WarpingConfig()
        channels = config.block_expansion * 2**config.down_blocks
        self.dense_motion_network = DenseMotionNetwork(config)
        self.third = SameBlock2d(config.max_features, channels, nn.LeakyReLU(0.01))
        self.fourth = nn.Conv2d(channels, channels, 1)

    def flatten_volume(self, warped: Tensor, occlusion_map: Tensor) -> Tensor:
        """Warped volume [B, 32, D, H, W], occlusion map [B, 1, H, W] -> feature [B, 256, H, W]."""
        out = self.fourth(self.third(warped.flatten(1, 2)))
        return out * occlusion_map  # type: ignore[no-any-return]

    def forward(self, feature: Tensor, *, kp_driving: Tensor, kp_source: Tensor) -> WarpOutput:
        """Feature [B, 32, 16, 64, 64], keypoints [B, 21, 3] -> WarpOutput."""
        motion = self.dense_motion_network(feature, kp_driving, kp_source)
        warped = sample_volume(feature, motion.deformation)
        out = self.flatten_volume(warped, motion.occlusion_map)
        return WarpOutput(out, motion.occlusion_map, motion.deformation)
