"""Coordinates in a feature volume, and reading a volume at given coordinates.

x points right, y down, z inwards; a coordinate of -1 or 1 is an edge. Source:
``src/modules/util.py`` (``make_coordinate_grid``, ``kp2gaussian``) and ``dense_motion.py``.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


class CoordinateGrid(nn.Module):
    """The coordinates of every voxel of a volume; the outermost voxels lie at -1 and 1.

    Kept as whole numbers: ``module.bfloat16()`` then leaves them alone. In bfloat16 a coordinate
    would be wrong by an eighth of a voxel.
    """

    index: Tensor
    last: Tensor

    def __init__(self, size: tuple[int, int, int]) -> None:
        super().__init__()
        # on the CPU by name: networks are built without storage (``empty_networks``), and these
        # numbers are in no file that could fill them in
        z, y, x = torch.meshgrid(*(torch.arange(n, device="cpu") for n in size), indexing="ij")
        last = torch.tensor([n - 1 for n in reversed(size)], device="cpu")
        self.register_buffer("index", torch.stack((x, y, z), dim=-1), persistent=False)
        self.register_buffer("last", last, persistent=False)

    def forward(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """[D, H, W, 3], the last axis is x, y, z."""
        return 2 * (self.index.to(dtype) / self.last.to(dtype)) - 1


def gaussian_heatmap(grid: Tensor, keypoints: Tensor, variance: float) -> Tensor:
    """exp(-|grid - keypoint|^2 / (2 variance)): [D, H, W, 3], [B, K, 3] -> [B, K, D, H, W]."""
    offset = grid - keypoints[:, :, None, None, None, :]  # [B, K, D, H, W, 3]
    return torch.exp(-0.5 * offset.square().sum(dim=-1) / variance)


def sample_volume(volume: Tensor, coordinates: Tensor) -> Tensor:
    """Read a volume trilinearly, zeros outside: [B, C, D, H, W], [B, D', H', W', 3] -> [B, C, ...].

    Here -1 and 1 are the outer edges of the outermost voxels (``align_corners=False``), not their
    centres as in ``CoordinateGrid``: the official networks were trained with this half-voxel
    difference. Sampled in the coordinates' precision, returned in the volume's.
    """
    sampled = functional.grid_sample(
        volume.to(coordinates.dtype),
        coordinates,
        mode="bilinear",
        padding_mode="zeros",
        align_corners=False,
    )
    return sampled.to(volume.dtype)
