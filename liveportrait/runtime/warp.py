"""The geometry of dense motion without sampling at free coordinates.

Every proposal of a keypoint moves the whole volume by one shift, so its sampling coordinates are a
product of three axes. Reading the volume there is three small matrix products, one per axis, whose
rows hold the two weights of linear interpolation (or fewer, beyond the border). In the same way a
Gaussian in space is the product of three in a line, and the mix of proposals is the grid plus the
mix of their shifts, because the mask sums to one. Equal to ``networks/dense_motion.py`` up to
rounding; coordinates stay in float32.
"""

import torch
from torch import Tensor


def axis_coordinates(size: int) -> Tensor:
    """Of the voxels of one axis, -1 to 1, [size]; as ``CoordinateGrid``."""
    return 2 * (torch.arange(size, dtype=torch.float32) / (size - 1)) - 1


def interpolation_matrices(size: int, shifts: Tensor) -> Tensor:
    """Rows read an axis at its own coordinates plus a shift: [...] -> [..., size, size].

    As ``sample_volume``: linear, zeros outside, -1 and 1 the outer edges.
    """
    moved = axis_coordinates(size) + shifts.unsqueeze(-1)
    position = ((moved + 1) * size - 1) / 2  # [..., size] in voxels
    distance = position.unsqueeze(-1) - torch.arange(size, dtype=torch.float32)
    return (1 - distance.abs()).clamp_min(0)


def shifted_volumes(volume: Tensor, shifts: Tensor) -> Tensor:
    """The volume after each proposal, whose shifts are x, y, z.

    [B, C, D, H, W], [B, P, 3] -> [B, P, C, D, H, W].
    """
    batch, channels, depth, height, width = volume.shape
    proposals = shifts.shape[1]
    along_x, along_y, along_z = (
        interpolation_matrices(size, shifts[..., axis])  # [B, P, size, size]
        for axis, size in enumerate((width, height, depth))
    )
    # x first: one large product for all proposals, [B, 1, C D H, W] @ [B, P, W, W']
    rows = volume.reshape(batch, 1, channels * depth * height, width)
    out = rows @ along_x.transpose(-1, -2)  # [B, P, C D H, W]
    out = out.reshape(batch, proposals, channels * depth, height, width)
    out = along_y.unsqueeze(2) @ out
    out = out.reshape(batch, proposals, channels, depth, height * width)
    out = along_z.unsqueeze(2) @ out
    return out.reshape(batch, proposals, channels, depth, height, width)


def separable_heatmaps(
    size: tuple[int, int, int], kp_driving: Tensor, kp_source: Tensor, variance: float
) -> Tensor:
    """Gaussians of driving minus source keypoints, zeros first: [B, K, 3] -> [B, K + 1, D, ...]."""

    def gaussian(keypoints: Tensor) -> Tensor:
        x, y, z = (
            torch.exp(-0.5 * (axis_coordinates(n) - keypoints[..., axis, None]).square() / variance)
            for axis, n in enumerate(reversed(size))
        )  # [B, K, n]
        plane = z.unsqueeze(-1) * y.unsqueeze(-2)  # [B, K, D, H]
        return plane.unsqueeze(-1) * x[:, :, None, None, :]

    difference = gaussian(kp_driving).sub_(gaussian(kp_source))
    return torch.cat((torch.zeros_like(difference[:, :1]), difference), dim=1)


def hourglass_input(
    volume: Tensor, kp_driving: Tensor, kp_source: Tensor, variance: float
) -> Tensor:
    """As ``DenseMotionNetwork.hourglass_input`` of its sparse motions: [B, (K + 1) 5, D, H, W]."""
    size = (volume.shape[2], volume.shape[3], volume.shape[4])
    deformed = shifted_volumes(volume, proposal_shifts(kp_driving, kp_source))
    heatmaps = separable_heatmaps(size, kp_driving, kp_source, variance)
    return torch.cat((heatmaps.unsqueeze(2), deformed), dim=2).flatten(1, 2)


def proposal_shifts(kp_driving: Tensor, kp_source: Tensor) -> Tensor:
    """Where each proposal reads from, less where it is; standstill first. [B, K + 1, 3]."""
    shifts = kp_source - kp_driving
    return torch.cat((torch.zeros_like(shifts[:, :1]), shifts), dim=1)


def mixed_deformation(mask_logits: Tensor, kp_driving: Tensor, kp_source: Tensor) -> Tensor:
    """As ``DenseMotionNetwork.mix``: [B, K + 1, D, H, W] -> [B, D, H, W, 3]."""
    batch, proposals, depth, height, width = mask_logits.shape
    mask = torch.softmax(mask_logits.float(), dim=1).reshape(batch, proposals, -1)
    moved = mask.transpose(1, 2) @ proposal_shifts(kp_driving, kp_source)  # [B, D H W, 3]
    z, y, x = torch.meshgrid(
        *(axis_coordinates(size) for size in (depth, height, width)), indexing="ij"
    )
    return moved.reshape(batch, depth, height, width, 3) + torch.stack((x, y, z), dim=-1)
