"""3x3 and 7x7 convolutions with a quarter or an eighth of the multiplications (Winograd).

A convolution over a tile is a product of polynomials. Both factors are evaluated at a few points,
multiplied there, and the product is interpolated: with R taps and M outputs a tile needs
R + M - 1 multiplications along an axis instead of R * M. In the plane, 3 taps and 4 outputs take 36
for 144, 3 taps and 6 outputs 64 for 324, 7 taps and 4 outputs 100 for 784. Source: Lavin and Gray,
arXiv 1509.09308; the matrices are the Toom-Cook construction at the points given here.

Evaluation and interpolation only add and scale, so in float32 the result is the convolution's up
to rounding (about 1e-5 of its spread for 3 taps and 4 outputs). In bfloat16 it is not: there,
convolve directly.

Everything is written as ordinary convolutions, because that is what inference engines run well:
the evaluation is a depthwise convolution whose stride is the tile, the multiplications are 1x1
convolutions over a quarter as many positions, the interpolation is a few additions.
"""

from functools import cache

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.shapes import AnyArray

# pairs of both signs, numbers beside their inverses: least rounding of those tried
_POINTS = {
    6: (0.0, 1.0, -1.0, 2.0, -2.0),
    8: (0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5),
    10: (0.0, 1.0, -1.0, 0.5, -0.5, 0.75, -0.75, 2.0, -2.0),
}  # by their number, the point at infinity included
_ONE = 1  # index of the point 1
_STRIPS, _WHOLE_BYTES = 4, 64 * 2**20


@cache
def transforms(taps: int, outputs: int = 4) -> tuple[AnyArray, AnyArray, AnyArray]:
    """Matrices of one axis in float64, P = taps + outputs - 1 points.

    filter [P, taps], inputs [P, P], outputs [M, P]: the outputs of a tile of inputs d are
    ``outputs @ ((filter @ g) * (inputs @ d))``.
    """
    size = taps + outputs - 1
    points = np.asarray(_POINTS[size])

    def evaluate(degree: int) -> AnyArray:
        """Values of the monomials at the points; the last row is the point at infinity."""
        rows = np.vander(points, degree, increasing=True)
        return np.vstack((rows, np.eye(degree)[-1]))

    # correlation is the transpose of polynomial multiplication: inputs = inverse of evaluating
    # the product, with the roles of product and factor exchanged
    inputs = np.linalg.inv(evaluate(size)).T
    return evaluate(taps), inputs, evaluate(outputs).T


def winograd_filter(weight: Tensor, outputs: int = 4) -> Tensor:
    """[O, I, R, R] or [O, I, D, R, R] -> one 1x1 (D x 1 x 1) kernel per point, [P * P, ...]."""
    evaluate = torch.from_numpy(transforms(weight.shape[-1], outputs)[0])
    weight = weight.detach().double()
    points = torch.einsum("pr,oi...rs,qs->pqoi...", evaluate, weight, evaluate)
    return points.flatten(0, 1).float()[..., None, None].contiguous()


class WinogradConv(nn.Module):
    """A same-padded convolution of the last two axes.

    Of a 3-D convolution the depth axis is convolved directly. ``weight`` [O, I, R, R] or
    [O, I, D, R, R], ``bias`` [O] or None; R is 3 or 7. ``outputs`` of a tile along an axis: 4, or,
    with R = 3, 6 for fewer multiplications and more rounding. With ``compact``, which needs 4, the
    input has only three pixels for four outputs, the second standing for two: a map upsampled by 4
    and then convolved (``phase_conv``) has such rows and columns. ``parts``: how many tensors
    ``split`` gives.
    """

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None,
        *,
        compact: bool = False,
        parts: int = 1,
        outputs: int = 4,
    ) -> None:
        super().__init__()
        self.parts = parts
        self.taps = weight.shape[-1]
        self.volumetric = weight.ndim == 5
        self.outputs = outputs
        self.points = self.taps + outputs - 1
        filters = winograd_filter(weight, outputs)  # [P * P, O, ...]
        filters = filters.reshape(len(filters), parts, -1, *filters.shape[2:])
        self.filters = nn.Parameter(filters, requires_grad=False)
        evaluate = torch.from_numpy(transforms(self.taps, outputs)[1])
        if compact:
            middle = evaluate[:, 2:3] + evaluate[:, 3:4]
            evaluate = torch.cat((evaluate[:, :2], middle, evaluate[:, 4:]), dim=1)
        self.stride = outputs - compact
        channels, flat = weight.shape[1], (1,) * (weight.ndim - 4)
        rows = evaluate.float().view(self.points, 1, 1, *flat, -1, 1)
        self.rows = nn.Parameter(
            rows.expand(-1, channels, -1, *rows.shape[3:]).contiguous(), requires_grad=False
        )
        self.columns = nn.Parameter(self.rows.transpose(-1, -2).contiguous(), requires_grad=False)
        bias = torch.zeros(len(weight)) if bias is None else bias.detach()
        self.bias = nn.Parameter(bias.view(parts, -1).clone(), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, I, H, W] or [B, I, D, H, W] -> [B, O, ...] of the same size."""
        outputs = self.split(x)
        return outputs[0] if self.parts == 1 else torch.cat(outputs, dim=1)

    def split(self, x: Tensor) -> list[Tensor]:
        """``forward`` in parts, each [B, O / parts, ...]: as convolutions of their own that share
        the evaluation of x."""
        pad, halo = self.taps // 2, self.rows.shape[-2] - self.stride
        height, width = x.shape[-2:]
        tiles = -(-height // self.stride)
        across = -(-width // self.stride)
        size = self._tiles_per_strip(x.shape, tiles, across)
        below, right = tiles * self.stride - height, across * self.stride - width
        x = functional.pad(x, (pad, pad + right, pad, pad + below))
        strips = [
            self._strip(
                x.narrow(-2, self.stride * tile, self.stride * min(size, tiles - tile) + halo)
            )
            for tile in range(0, tiles, size)
        ]
        outputs = (
            strips[0]
            if len(strips) == 1
            else [torch.cat(part, dim=-2) for part in zip(*strips, strict=True)]
        )
        if below or right:
            outputs = [out.narrow(-2, 0, height).narrow(-1, 0, width) for out in outputs]
        return outputs

    def _tiles_per_strip(self, shape: torch.Size, tiles: int, across: int) -> int:
        """Rows of tiles that are taken through all steps at once.

        Products of large maps would not stay in a CPU's last cache until they are interpolated.
        More strips are more operations for an engine to prepare and to run.
        """
        depth = shape[2] if self.volumetric else 1
        outputs = self.filters.shape[1] * self.filters.shape[2]
        row_bytes = 4 * self.points**2 * outputs * depth * across
        return -(-tiles // _STRIPS) if tiles * row_bytes > _WHOLE_BYTES else tiles

    def _strip(self, x: Tensor) -> list[Tensor]:
        """``split`` of padded rows."""
        products = self._multiplied(x)
        return [
            interleave(
                interpolate_tile([[point[i] for point in row] for row in products], self.outputs)
            )
            for i in range(self.parts)
        ]

    def _multiplied(self, x: Tensor) -> list[list[list[Tensor]]]:
        """The products at P x P points, of each part."""
        products = []
        for i in range(self.points):
            across = self._depthwise(x, self.rows[i], (self.stride, 1))
            row = []
            for j in range(self.points):
                at_point = self._depthwise(across, self.columns[j], (1, self.stride))
                filters = self.filters[i * self.points + j]
                # a product at the point 1 comes into every output, just as the bias does
                biases = self.bias if (i, j) == (_ONE, _ONE) else [None] * self.parts
                row.append(
                    [self._multiply(at_point, *pair) for pair in zip(filters, biases, strict=True)]
                )
            products.append(row)
        return products

    def _depthwise(self, x: Tensor, kernel: Tensor, stride: tuple[int, int]) -> Tensor:
        if self.volumetric:
            return functional.conv3d(x, kernel, stride=(1, *stride), groups=len(kernel))
        return functional.conv2d(x, kernel, stride=stride, groups=len(kernel))

    def _multiply(self, x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
        if self.volumetric:
            return functional.conv3d(x, kernel, bias, padding=(kernel.shape[2] // 2, 0, 0))
        return functional.conv2d(x, kernel, bias)


def interpolate_tile(products: list[list[Tensor]], outputs: int) -> list[list[Tensor]]:
    """P x P products -> the M x M outputs of a tile."""
    rows = [_interpolate(row, outputs) for row in products]
    columns = [_interpolate([row[j] for row in rows], outputs) for j in range(outputs)]
    return [[columns[j][i] for j in range(outputs)] for i in range(outputs)]


def _interpolate(products: list[Tensor], count: int) -> list[Tensor]:
    """Powers of the points times the products; points come in pairs of opposite signs."""
    points = _POINTS[len(products)]
    even = [products[i] + products[i + 1] for i in range(1, len(points), 2)]
    odd = [products[i] - products[i + 1] for i in range(1, len(points), 2)]
    outputs = []
    for power in range(count):
        total = products[0] if power == 0 else None
        for k, term in enumerate(odd if power % 2 else even):
            factor = points[2 * k + 1] ** power
            term = term if factor == 1 else factor * term
            total = term if total is None else total + term
        assert total is not None
        outputs.append(total + products[-1] if power == count - 1 else total)
    return outputs


def interleave(phases: list[list[Tensor]]) -> Tensor:
    """Phases [[B, C, (D,) H, W]] of a block, row by row -> [B, C, (D,) H * rows, W * columns]."""
    rows, columns = len(phases), len(phases[0])
    joined = torch.cat([phase for row in phases for phase in row], dim=1)
    if joined.ndim == 5:
        batch, _, depth, height, width = joined.shape
        split = joined.reshape(batch, rows, columns, -1, depth, height, width)
        split = split.permute(0, 3, 4, 5, 1, 6, 2)
        return split.reshape(batch, -1, depth, height * rows, width * columns)
    batch, _, height, width = joined.shape
    split = joined.reshape(batch, rows, columns, -1, height, width).permute(0, 3, 4, 1, 5, 2)
    return split.reshape(batch, -1, height * rows, width * columns)
