"""Blocks that several networks share. Attribute names are those of the official tensors.

The order inside a block is convolution, batch norm, ReLU, average pool; the residual block
norms before it convolves. Source: ``src/modules/util.py``.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


class SameBlock2d(nn.Module):
    """3x3 convolution, batch norm and an activation; the size stays."""

    def __init__(self, channels_in: int, channels_out: int, activation: nn.Module) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, 3, padding=1)
        self.norm = nn.BatchNorm2d(channels_out)
        self.ac = activation

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C', H, W]."""
        out: Tensor = self.ac(self.norm(self.conv(x)))
        return out


class DownBlock2d(nn.Module):
    """3x3 convolution, batch norm, ReLU, and half the size."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, 3, padding=1)
        self.norm = nn.BatchNorm2d(channels_out)
        self.pool = nn.AvgPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C', H/2, W/2]."""
        out: Tensor = self.pool(functional.relu(self.norm(self.conv(x))))
        return out


class ResBlock3d(nn.Module):
    """Two pre-activated 3x3x3 convolutions around an identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv3d(channels, channels, 3, padding=1)
        self.norm1 = nn.BatchNorm3d(channels)
        self.norm2 = nn.BatchNorm3d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, D, H, W] -> the same shape."""
        out = self.conv1(functional.relu(self.norm1(x)))
        out = self.conv2(functional.relu(self.norm2(out)))
        return out + x  # type: ignore[no-any-return]


class DownBlock3d(nn.Module):
    """3x3x3 convolution, batch norm, ReLU, and half the height and width; the depth stays."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(channels_in, channels_out, 3, padding=1)
        self.norm = nn.BatchNorm3d(channels_out)
        self.pool = nn.AvgPool3d((1, 2, 2))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, D, H, W] -> [B, C', D, H/2, W/2]."""
        out: Tensor = self.pool(functional.relu(self.norm(self.conv(x))))
        return out


class UpBlock3d(nn.Module):
    """Twice the height and width (nearest), then 3x3x3 convolution, batch norm, ReLU."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(channels_in, channels_out, 3, padding=1)
        self.norm = nn.BatchNorm3d(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, D, H, W] -> [B, C', D, 2H, 2W]."""
        x = functional.interpolate(x, scale_factor=(1.0, 2.0, 2.0), mode="nearest")
        return functional.relu(self.norm(self.conv(x)))


class SpectralNormConv2d(nn.Module):
    """A convolution whose weight is divided by its largest singular value u^T W v.

    The tensors are those that torch's first ``spectral_norm`` (Miyato et al., arXiv 1802.05957)
    leaves in a checkpoint: ``weight_orig``, ``weight_u``, ``weight_v`` and ``bias``. As there in
    evaluation, u and v are taken as stored: training, which would renew them, is not offered.
    """

    weight_u: Tensor  # [O]
    weight_v: Tensor  # [I * kernel * kernel]

    def __init__(
        self, channels_in: int, channels_out: int, kernel_size: int, *, bias: bool = True
    ) -> None:
        super().__init__()
        like = nn.Conv2d(channels_in, channels_out, kernel_size, bias=bias)
        self.padding = kernel_size // 2
        self.bias = like.bias
        self.weight_orig = like.weight
        flat = like.weight.detach().flatten(1)
        self.register_buffer("weight_u", functional.normalize(flat.sum(dim=1), dim=0))
        self.register_buffer("weight_v", functional.normalize(flat.sum(dim=0), dim=0))

    def normalised_weight(self) -> Tensor:
        """The weight of the equivalent plain convolution, [O, I, kernel, kernel]."""
        flat = self.weight_orig.flatten(1)
        return self.weight_orig / torch.dot(self.weight_u, torch.mv(flat, self.weight_v))

    def forward(self, x: Tensor) -> Tensor:
        """[B, I, H, W] -> [B, O, H, W]."""
        return functional.conv2d(x, self.normalised_weight(), self.bias, padding=self.padding)
