"""A 3x3 convolution of a nearest-upsampled map, computed at the map's own size.

Along one axis, let a pixel c with neighbours p and n be repeated S times. The convolution with taps
(w0, w1, w2) then gives only three different outputs there:

    first    w0 p + (w1 + w2) c  =  W c + w0 (p - c)
    middle   (w0 + w1 + w2) c    =  W c                    (S - 2 times)
    last     (w0 + w1) c + w2 n  =  W c + w2 (n - c)

with W = w0 + w1 + w2. So three products make any number of outputs: in the plane nine 1x1
convolutions at the low resolution instead of a 3x3 convolution of S * S times the pixels, a 4th of
the multiplications for S = 2 and a 16th for S = 4. Exact up to rounding. At the border p or n is
the padding's zero, on both sides of the equation.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from liveportrait.runtime.winograd import interleave


class UpsampledConv(nn.Module):
    """``conv(interpolate(x, scale))`` with zero padding of one, from x itself.

    ``weight`` [O, I, 3, 3], or [O, I, D, 3, 3] where the depth is convolved directly and not
    upsampled; ``bias`` [O] or None.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.volumetric = weight.ndim == 5
        kernel = weight.detach().double()
        per_row = (kernel[..., 0, :], kernel.sum(dim=-2), kernel[..., 2, :])
        products = [part for row in per_row for part in (row[..., 0], row.sum(dim=-1), row[..., 2])]
        filters = torch.stack(products).float()[..., None, None]  # [9, O, I, (D,) 1, 1]
        self.filters = nn.Parameter(filters, requires_grad=False)
        channels, flat = weight.shape[1], (1,) * (weight.ndim - 4)
        # p - c, c, n - c as depthwise kernels
        ahead = torch.tensor([[1.0, -1.0, 0.0], [0.0, 1.0, 0.0], [0.0, -1.0, 1.0]])
        rows = ahead.view(3, 1, 1, *flat, 3, 1).expand(-1, channels, -1, *flat, -1, -1)
        self.rows = nn.Parameter(rows.contiguous(), requires_grad=False)
        self.columns = nn.Parameter(rows.transpose(-1, -2).contiguous(), requires_grad=False)
        bias = torch.zeros(len(weight)) if bias is None else bias.detach()
        self.bias = nn.Parameter(bias.view(-1, *(1,) * (weight.ndim - 2)), requires_grad=False)

    def forward(self, x: Tensor, scale: int = 2) -> Tensor:
        """[B, I, (D,) H, W] -> [B, O, (D,) scale H, scale W]."""
        phases = self.phases(x)
        index = [0, *[1] * (scale - 2), 2]
        return interleave([[phases[i][j] for j in index] for i in index])

    def phases(self, x: Tensor) -> list[list[Tensor]]:
        """First, middle and last output of every pixel, down and across: [B, O, (D,) H, W] each."""
        rows = [self._along_width(self._difference(x, self.rows, i), i) for i in range(3)]
        middle = rows[1]
        return [
            [a + b for a, b in zip(rows[0], middle, strict=True)],
            middle,
            [a + b for a, b in zip(rows[2], middle, strict=True)],
        ]

    def _along_width(self, x: Tensor, i: int) -> list[Tensor]:
        bias = self.bias if i == 1 else None  # of the products, the middle one is in every output
        first, middle, last = (
            self._multiply(self._difference(x, self.columns, j), self.filters[3 * i + j])
            for j in range(3)
        )
        middle = middle if bias is None else middle + bias
        return [first + middle, middle, last + middle]

    def _difference(self, x: Tensor, kernels: Tensor, i: int) -> Tensor:
        if i == 1:
            return x
        kernel = kernels[i]
        padding = (kernel.shape[-2] // 2, kernel.shape[-1] // 2)
        if self.volumetric:
            return functional.conv3d(x, kernel, padding=(0, *padding), groups=len(kernel))
        return functional.conv2d(x, kernel, padding=padding, groups=len(kernel))

    def _multiply(self, x: Tensor, kernel: Tensor) -> Tensor:
        if self.volumetric:
            return functional.conv3d(x, kernel, padding=(kernel.shape[2] // 2, 0, 0))
        return functional.conv2d(x, kernel)
