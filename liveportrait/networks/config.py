"""Sizes of the five networks; the defaults are the official ones (``src/config/models.yaml``).

The official name of a value stands beside it where ours says more.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class AppearanceConfig:
    """Appearance feature extractor: image -> feature volume."""

    image_channels: int = 3
    block_expansion: int = 64  # channels after the first block; each down block doubles them
    down_blocks: int = 2
    max_features: int = 512
    volume_channels: int = 32  # reshape_channel
    volume_depth: int = 16  # reshape_depth
    residual_blocks: int = 6  # num_resblocks


@dataclass(frozen=True, slots=True)
class MotionConfig:
    """Motion extractor: image -> keypoints, head pose, expression; ConvNeXt V2 tiny."""

    keypoints: int = 21
    angle_bins: int = 66
    depths: tuple[int, ...] = (3, 3, 9, 3)
    widths: tuple[int, ...] = (96, 192, 384, 768)


@dataclass(frozen=True, slots=True)
class DenseMotionConfig:
    """The part of the warping module that mixes the keypoints' motions into one."""

    block_expansion: int = 32
    max_features: int = 1024
    hourglass_blocks: int = 5  # num_blocks
    compressed_channels: int = 4  # compress
    keypoint_variance: float = 0.01  # of the Gaussian around a keypoint, in units of the grid


@dataclass(frozen=True, slots=True)
class WarpingConfig:
    """Warping module: feature volume and two sets of keypoints -> warped feature."""

    keypoints: int = 21
    block_expansion: int = 64
    max_features: int = 512
    down_blocks: int = 2
    volume_channels: int = 32  # reshape_channel
    volume_depth: int = 16  # reshape_depth
    volume_height: int = 64
    volume_width: int = 64
    dense_motion: DenseMotionConfig = field(default_factory=DenseMotionConfig)

    @property
    def volume_size(self) -> tuple[int, int, int]:
        """Depth, height and width of the feature volume."""
        return self.volume_depth, self.volume_height, self.volume_width


@dataclass(frozen=True, slots=True)
class GeneratorConfig:
    """SPADE generator: warped feature -> picture."""

    feature_channels: int = 256  # block_expansion * 2 ** num_down_blocks
    out_channels: int = 64
    hidden_channels: int = 128  # of a SPADE normalisation's own convolutions
    middle_blocks: int = 6
    upscale: int = 2  # of the last layer; the two up blocks before it double the size as well


@dataclass(frozen=True, slots=True)
class MlpConfig:
    """One of the three small networks on keypoints."""

    inputs: int
    hidden: tuple[int, ...]
    outputs: int


@dataclass(frozen=True, slots=True)
class RetargetingConfig:
    """Stitching, lip and eye retargeting: 2 * 63, 63 + 2 and 63 + 3 numbers in."""

    stitching: MlpConfig = field(default_factory=lambda: MlpConfig(126, (128, 128, 64), 65))
    lip: MlpConfig = field(default_factory=lambda: MlpConfig(65, (128, 128, 64), 63))
    eye: MlpConfig = field(default_factory=lambda: MlpConfig(66, (256, 256, 128, 128, 64), 63))
