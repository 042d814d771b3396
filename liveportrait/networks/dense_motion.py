"""Dense motion: 21 keypoint motions and the standstill are mixed, voxel by voxel, into one.

Every keypoint proposes to move the whole volume along with it. An hourglass sees the volume after
each of these 22 proposals and says where to believe which. Source: ``src/modules/dense_motion.py``
and the hourglass of ``util.py``; first order motion model, arXiv 2003.00196.

The steps are methods so that another backend can run the convolutions of ``compressed`` and
``predict`` and leave the rest here. The geometry keeps the keypoints' precision, whatever the
weights' is.
"""

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from liveportrait.networks.config import DenseMotionConfig, WarpingConfig
from liveportrait.networks.layers import DownBlock3d, UpBlock3d
from liveportrait.networks.sampling import CoordinateGrid, gaussian_heatmap, sample_volume


class DenseMotion(NamedTuple):
    """Where every voxel of the warped volume is read from, and what nothing shows."""

    deformation: Tensor  # [B, D, H, W, 3], coordinates x, y, z in the source volume
    occlusion_map: Tensor  # [B, 1, H, W], 0 hidden in the source .. 1 seen


class HourglassEncoder(nn.Module):
    """Down blocks; every size is handed on."""

    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        self.down_blocks = nn.ModuleList(
            DownBlock3d(before, after) for before, after in pairwise(widths)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """[B, C, D, H, W] -> itself and the output of each block."""
        outs = [x]
        for block in self.down_blocks:
            outs.append(block(outs[-1]))
        return outs


class HourglassDecoder(nn.Module):
    """Up blocks; each is joined by the encoder's output of its size."""

    def __init__(self, widths: list[int], channels_in: int) -> None:
        super().__init__()
        # widths: [32, 64, .. 1024] from the largest map to the smallest; above the first block,
        # each takes its predecessor's channels and as many from the encoder
        self.up_blocks = nn.ModuleList(
            UpBlock3d((1 if i == len(widths) - 1 else 2) * widths[i], widths[i - 1])
            for i in range(len(widths) - 1, 0, -1)
        )
        self.out_channels = widths[0] + channels_in
        self.conv = nn.Conv3d(self.out_channels, self.out_channels, 3, padding=1)
        self.norm = nn.BatchNorm3d(self.out_channels)

    def forward(self, skips: list[Tensor]) -> Tensor:
        """What the encoder gave -> [B, out_channels, D, H, W]."""
        out = skips[-1]
        for block, skip in zip(self.up_blocks, reversed(skips[:-1]), strict=True):
            out = torch.cat((block(out), skip), dim=1)
        return functional.relu(self.norm(self.conv(out)))


class Hourglass(nn.Module):
    """Encoder and decoder; the depth stays, height and width shrink by 32 and return."""

    def __init__(self, config: DenseMotionConfig, channels_in: int) -> None:
        super().__init__()
        widths = [
            min(config.max_features, config.block_expansion * 2**i)
            for i in range(config.hourglass_blocks + 1)
        ]
        self.encoder = HourglassEncoder([channels_in, *widths[1:]])
        self.decoder = HourglassDecoder(widths, channels_in)
        self.out_channels = self.decoder.out_channels

    def forward(self, x: Tensor) -> Tensor:
        """[B, 110, D, H, W] -> [B, 142, D, H, W]."""
        out: Tensor = self.decoder(self.encoder(x))
        return out


class DenseMotionNetwork(nn.Module):
    """Feature volume, keypoints of source and driving -> deformation and occlusion map."""

    def __init__(self, config: WarpingConfig) -> None:
        super().__init__()
        self.config = config
        dense, proposals = config.dense_motion, config.keypoints + 1
        self.hourglass = Hourglass(dense, proposals * (dense.compressed_channels + 1))
        channels = self.hourglass.out_channels
        self.mask = nn.Conv3d(channels, proposals, 7, padding=3)
        self.compress = nn.Conv3d(config.volume_channels, dense.compressed_channels, 1)
        self.norm = nn.BatchNorm3d(dense.compressed_channels)
        self.occlusion = nn.Conv2d(channels * config.volume_depth, 1, 7, padding=3)
        self.grid = CoordinateGrid(config.volume_size)

    def compressed(self, feature: Tensor) -> Tensor:
        """[B, 32, D, H, W] -> [B, 4, D, H, W]; depends on the source alone."""
        return functional.relu(self.norm(self.compress(feature)))

    def sparse_motions(self, kp_driving: Tensor, kp_source: Tensor) -> Tensor:
        """[B, K, 3] twice -> the K + 1 proposals, standstill first, [B, K + 1, D, H, W, 3]."""
        grid = self.grid(kp_driving.dtype)  # [D, H, W, 3]
        moved = grid - kp_driving[:, :, None, None, None, :] + kp_source[:, :, None, None, None, :]
        still = grid.expand(len(moved), 1, -1, -1, -1, -1)
        return torch.cat((still, moved), dim=1)

    def deformed_features(self, compressed: Tensor, sparse_motions: Tensor) -> Tensor:
        """The compressed volume after each proposal, [B, K + 1, 4, D, H, W]."""
        batch, proposals = sparse_motions.shape[:2]
        # one batch entry for each proposal: torch samples batch entries in parallel on a CPU
        repeated = compressed[:, None].expand(-1, proposals, -1, -1, -1, -1).flatten(0, 1)
        deformed = sample_volume(repeated, sparse_motions.flatten(0, 1))
        return deformed.reshape(batch, proposals, *deformed.shape[1:])

    def heatmaps(self, kp_driving: Tensor, kp_source: Tensor) -> Tensor:
        """Gaussian of each driving minus source keypoint, zeros first, [B, K + 1, 1, D, H, W]."""
        grid, variance = self.grid(kp_driving.dtype), self.config.dense_motion.keypoint_variance
        difference = gaussian_heatmap(grid, kp_driving, variance) - gaussian_heatmap(
            grid, kp_source, variance
        )
        return torch.cat((torch.zeros_like(difference[:, :1]), difference), dim=1).unsqueeze(2)

    def hourglass_input(
        self, compressed: Tensor, sparse_motions: Tensor, kp_driving: Tensor, kp_source: Tensor
    ) -> Tensor:
        """Heatmap and deformed feature of every proposal, [B, (K + 1) * 5, D, H, W]."""
        deformed = self.deformed_features(compressed, sparse_motions)
        heatmaps = self.heatmaps(kp_driving, kp_source).to(deformed.dtype)
        return torch.cat((heatmaps, deformed), dim=2).flatten(1, 2)

    def predict(self, hourglass_input: Tensor) -> tuple[Tensor, Tensor]:
        """The convolutions: [B, 110, D, H, W] -> mask logits [B, K + 1, D, H, W], occlusion map."""
        prediction = self.hourglass(hourglass_input)  # [B, 142, D, H, W]
        occlusion_map = torch.sigmoid(self.occlusion(prediction.flatten(1, 2)))  # [B, 1, H, W]
        return self.mask(prediction), occlusion_map

    @staticmethod
    def mix(mask_logits: Tensor, sparse_motions: Tensor) -> Tensor:
        """Proposals weighted by the softmax of the mask, [B, D, H, W, 3]."""
        mask = torch.softmax(mask_logits.to(sparse_motions.dtype), dim=1)
        return (mask.unsqueeze(-1) * sparse_motions).sum(dim=1)

    def forward(self, feature: Tensor, kp_driving: Tensor, kp_source: Tensor) -> DenseMotion:
        """Feature [B, 32, D, H, W] and keypoints [B, K, 3] -> deformation, occlusion map."""
        motions = self.sparse_motions(kp_driving, kp_source)
        inputs = self.hourglass_input(self.compressed(feature), motions, kp_driving, kp_source)
        mask_logits, occlusion_map = self.predict(inputs)
        return DenseMotion(self.mix(mask_logits, motions), occlusion_map)
