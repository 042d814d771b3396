"""The generator's normalisations with their algebra done: what every device's form of them shares.

Each function returns weight and bias of one plain convolution, from ``networks.generator``.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from liveportrait.networks.generator import Spade, SpadeBlock

Tensors = tuple[Tensor, Tensor]


def tensors(convolution: nn.Module) -> Tensors:
    """Weight and bias of a convolution that has both."""
    weight, bias = convolution.weight, convolution.bias
    assert isinstance(weight, Tensor)
    assert isinstance(bias, Tensor)
    return weight.detach(), bias.detach()


def block_spades(block: SpadeBlock) -> list[Spade]:
    """The normalisations of a block: before each convolution, and the shortcut's, if learned."""
    return [block.norm_0, block.norm_1, *([block.norm_s] if block.learned_shortcut else [])]


def shared_tensors(spades: Sequence[Spade]) -> Tensors:
    """``mlp_shared`` of several normalisations: all read the same feature."""
    pairs = [tensors(spade.mlp_shared[0]) for spade in spades]
    return torch.cat([w for w, _ in pairs]), torch.cat([b for _, b in pairs])


def gain_tensors(spade: Spade) -> Tensors:
    """1 + gamma."""
    weight, bias = tensors(spade.mlp_gamma)
    return weight, bias + 1


def gain_shift_tensors(spade: Spade) -> Tensors:
    """1 + gamma and beta, one after the other."""
    gain, shift = gain_tensors(spade), tensors(spade.mlp_beta)
    return torch.cat((gain[0], shift[0])), torch.cat((gain[1], shift[1]))


def mixed_shift_tensors(spade: Spade, mix: Tensor) -> Tensors:
    """beta and then the 1x1 convolution ``mix`` [O, I, 1, 1], in one."""
    weight, bias = tensors(spade.mlp_beta)
    return torch.einsum("om,mikl->oikl", mix[:, :, 0, 0], weight), mix[:, :, 0, 0] @ bias
