"""A 3x3 convolution of a nearest-upsampled map as one 2x2 convolution at the map's own size.

Along one axis, let pixels repeat S times. The convolution with taps (w0, w1, w2) then gives, around
a pixel c with neighbours p and n,

    first   w0 p + (w1 + w2) c        last   (w0 + w1) c + w2 n        between   (w0 + w1 + w2) c

each a product of two neighbouring pixels with two taps. All phases are output channels of one
2x2 convolution over the map with a border of zeros; a phase is then a window of its output. 16
multiplications a pixel instead of 36 for S = 2, 36 instead of 144 for S = 4, no upsampled map, and
one large kernel, as a GPU likes it. ``phase_conv.py`` needs fewer multiplications in more pieces.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

_FIRST = ((1.0, 0.0, 0.0), (0.0, 1.0, 1.0))
_BETWEEN = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
_LAST = ((1.0, 1.0, 0.0), (0.0, 0.0, 1.0))


class OffsetPhaseConv(nn.Module):
    """``conv(interpolate(x, scale))`` with same padding, from x itself; in the plane.

    ``weight`` [O, I, 3, 3], or [O, I, D, 3, 3], whose depth is convolved as it is; scale 2 or more.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, scale: int = 2) -> None:
        super().__init__()
        taps = torch.tensor((_FIRST, *((_BETWEEN,) if scale > 2 else ()), _LAST)).double()
        self.scale, self.kinds = scale, len(taps)
        kernels = torch.einsum("pru,oi...uv,qsv->pqoi...rs", taps, weight.detach().double(), taps)
        self.weight = nn.Parameter(kernels.flatten(0, 2).float(), requires_grad=False)
        repeated = None if bias is None else bias.detach().repeat(self.kinds**2)
        self.bias = None if repeated is None else nn.Parameter(repeated, requires_grad=False)

    def forward(self, x: Tensor, scale: int | None = None) -> Tensor:
        """[B, I, (D,) H, W] -> [B, O, (D,) S H, S W]; ``scale`` is what it was built for."""
        if scale not in (None, self.scale):
            raise ValueError(f"scale {scale} of phases for {self.scale}")
        if x.ndim == 4:
            return self._interleaved(functional.conv2d(x, self.weight, self.bias, padding=1))
        padding = (self.weight.shape[2] // 2, 1, 1)
        phases = functional.conv3d(x, self.weight, self.bias, padding=padding)
        depth = phases.shape[2]
        planes = self._interleaved(phases.transpose(1, 2).flatten(0, 1))  # a view: [B D, ...]
        return planes.reshape(-1, depth, *planes.shape[1:]).transpose(1, 2)

    def _interleaved(self, phases: Tensor) -> Tensor:
        """[B, kinds^2 O, H + 1, W + 1] -> [B, O, S H, S W], channels innermost in memory."""
        scale, kinds = self.scale, self.kinds
        height, width = phases.shape[2] - 1, phases.shape[3] - 1
        by_kind = phases.permute(0, 2, 3, 1)
        by_kind = by_kind.reshape(*by_kind.shape[:3], kinds, kinds, -1)
        out = by_kind.new_empty(len(phases), height, scale, width, scale, by_kind.shape[-1])
        for i in range(scale):
            top, row = _place(i, scale, kinds)
            for j in range(scale):
                left, column = _place(j, scale, kinds)
                window = by_kind[:, top : top + height, left : left + width, row, column]
                out[:, :, i, :, j] = window
        return out.flatten(3, 4).flatten(1, 2).permute(0, 3, 1, 2)


def _place(position: int, scale: int, kinds: int) -> tuple[int, int]:
    """Where a phase's window begins, and which of the kinds it is."""
    last = position == scale - 1
    kind = 0 if position == 0 else kinds - 1 if last else 1
    return int(last), kind
