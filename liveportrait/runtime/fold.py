"""Normalisations folded into convolutions: in evaluation they are constants.

- Batch norm after a convolution, ``g (conv(x) - m) / sqrt(v + e) + b``, is a convolution with
  scaled weights and another bias.
- Batch norm before a convolution stays where padding stands between (the padding's zero is not
  normalised); as a scale and a shift it is two numbers per channel instead of four.
- Spectral norm divides the weight by a constant.

Exact up to rounding, on any device. ``folded`` gives modules with the same inputs and outputs and
the same attribute names for what callers use.
"""

import copy
from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor, nn

from liveportrait.networks.layers import (
    ResBlock3d,
    SpectralNormConv2d,
)
from liveportrait.networks.networks import Networks

Module = TypeVar("Module", bound=nn.Module)
Convolution = nn.Conv2d | nn.Conv3d
BatchNorm = nn.BatchNorm2d | nn.BatchNorm3d


class ChannelScale(nn.Module):
    """What is left of a batch norm that no convolution precedes: ``x * scale + shift``."""

    def __init__(self, norm: BatchNorm) -> None:
        super().__init__()
        scale, shift = scale_and_shift(norm)
        flat = (-1, *(1,) * (3 if isinstance(norm, nn.BatchNorm3d) else 2))
        self.scale = nn.Parameter(scale.view(flat), requires_grad=False)
        self.shift = nn.Parameter(shift.view(flat), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, ...] -> the same shape."""
        return x * self.scale + self.shift


def folded(networks: Networks) -> Networks:
    """A copy whose batch and spectral norms are folded; ``networks`` stays as it is."""
    return replace(
        networks,
        appearance=folded_module(networks.appearance),
        warping=folded_module(networks.warping),
        generator=folded_module(networks.generator),
    )


def folded_module(module: Module) -> Module:
    """A copy of a network with every known norm inside folded."""
    module = copy.deepcopy(module)
    for child in list(module.modules()):
        _fold(child)
    return module.eval().requires_grad_(False)


def _fold(block: nn.Module) -> None:
    for name, child in list(block.named_children()):
        if isinstance(child, SpectralNormConv2d):
            setattr(block, name, plain_convolution(child.normalised_weight(), child.bias))
    if isinstance(block, ResBlock3d):
        fold_after(block.conv1, block.norm2)
        block.norm1 = ChannelScale(block.norm1)  # type: ignore[assignment]
        block.norm2 = nn.Identity()  # type: ignore[assignment]
        return
    pairs = {"conv": "norm", "compress": "norm"}
    for convolution, norm in pairs.items():
        before, after = getattr(block, convolution, None), getattr(block, norm, None)
        if isinstance(before, Convolution) and isinstance(after, BatchNorm):
            fold_after(before, after)
            setattr(block, norm, nn.Identity())


def fold_after(convolution: Convolution, norm: BatchNorm) -> None:
    """Scale the convolution's weight and bias in place so that the norm can be left out."""
    scale, shift = scale_and_shift(norm)
    bias = torch.zeros_like(scale) if convolution.bias is None else convolution.bias.detach()
    weight = convolution.weight.detach()
    flat = (-1, *(1,) * (weight.ndim - 1))
    convolution.weight = nn.Parameter(weight * scale.view(flat), requires_grad=False)
    convolution.bias = nn.Parameter(bias * scale + shift, requires_grad=False)


def scale_and_shift(norm: BatchNorm) -> tuple[Tensor, Tensor]:
    """Batch norm in evaluation as ``x * scale + shift``, [C] each."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    deviation = (norm.running_var.double() + norm.eps).sqrt()
    scale = norm.weight.detach().double() / deviation
    shift = norm.bias.detach().double() - norm.running_mean.double() * scale
    return scale.float(), shift.float()


def plain_convolution(weight: Tensor, bias: Tensor | None) -> Convolution:
    """torch's own convolution with these tensors and same padding; [O, I, (D,) R, R]."""
    out, channels, *kernel = weight.shape
    cls = nn.Conv3d if weight.ndim == 5 else nn.Conv2d
    padding = tuple(size // 2 for size in kernel)
    convolution = cls(channels, out, tuple(kernel), padding=padding, bias=bias is not None)  # type: ignore[arg-type]
    convolution.weight = nn.Parameter(weight.detach().clone(), requires_grad=False)
    if bias is not None:
        convolution.bias = nn.Parameter(bias.detach().clone(), requires_grad=False)
    return convolution.eval()
