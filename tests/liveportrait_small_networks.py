"""The LivePortrait networks with all their parts and few channels: a frame takes milliseconds."""

import numpy as np

from liveportrait.networks.appearance import AppearanceFeatureExtractor
from liveportrait.networks.config import (
    AppearanceConfig,
    DenseMotionConfig,
    GeneratorConfig,
    MotionConfig,
    WarpingConfig,
)
from liveportrait.networks.generator import SPADEGenerator
from liveportrait.networks.motion_extractor import MotionExtractor
from liveportrait.networks.networks import Networks
from liveportrait.networks.retargeting import RetargetingNetworks
from liveportrait.networks.seeded import seed_weights
from liveportrait.networks.warping import WarpingNetwork
from models.shapes import FloatArray, Image

INPUT_PX, PICTURE_PX = 64, 128


def small_networks() -> Networks:
    """Seeded. Input 64 x 64 pixels, volume 4 x 16 x 16, picture 128 x 128."""
    networks = Networks(
        AppearanceFeatureExtractor(
            AppearanceConfig(
                block_expansion=8,
                max_features=16,
                volume_channels=4,
                volume_depth=4,
                residual_blocks=2,
            )
        ),
        MotionExtractor(MotionConfig(depths=(1, 1, 1, 1), widths=(8, 16, 16, 16))),
        WarpingNetwork(
            WarpingConfig(
                block_expansion=8,
                max_features=16,
                volume_channels=4,
                volume_depth=4,
                volume_height=16,
                volume_width=16,
                dense_motion=DenseMotionConfig(
                    block_expansion=8, max_features=32, hourglass_blocks=2
                ),
            )
        ),
        SPADEGenerator(
            GeneratorConfig(
                feature_channels=32, out_channels=16, hidden_channels=16, middle_blocks=2
            )
        ),
        RetargetingNetworks(),
    )
    for tag, module in networks.by_official_name().items():
        seed_weights(module, tag)
        module.eval().requires_grad_(False)
    return networks


def small_pictures(count: int) -> Image:
    """Smooth noise, uint8 [count, 64, 64, 3]."""
    coarse = np.random.default_rng(5).integers(0, 256, (count, 8, 8, 3))
    return np.repeat(np.repeat(coarse, 8, axis=1), 8, axis=2).astype(np.uint8)


def keypoint_pairs(count: int) -> tuple[FloatArray, FloatArray]:
    """x_s and x_d [count, 21, 3]; a few driving keypoints lie outside of the volume."""
    rng = np.random.default_rng(6)
    x_s = rng.uniform(-0.9, 0.9, (count, 21, 3)).astype(np.float32)
    return x_s, (x_s + rng.normal(0, 0.2, x_s.shape)).astype(np.float32)
