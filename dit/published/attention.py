"""Attention in the form of published files: one matrix for queries, keys and values."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Attention(nn.Module):
    """As ``torch.nn.MultiheadAttention`` names it, without weights to look at."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """query [B, T, D], key and value [B, S, D] -> [B, T, D]."""
        weights, biases = self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3)

        def heads_of(x: Tensor, place: int) -> Tensor:
            """[B, T, D] -> [B, heads, T, D / heads]."""
            projected = functional.linear(x, weights[place], biases[place])
            return projected.view(*x.shape[:2], self.heads, -1).transpose(1, 2)

        seen = functional.scaled_dot_product_attention(
            heads_of(query, 0), heads_of(key, 1), heads_of(value, 2)
        )
        joined: Tensor = self.out_proj(seen.transpose(1, 2).flatten(2))
        return joined

    def aligned(self, memory: Tensor) -> Tensor:
        """Cross-attention of each frame to the memory of the same frame alone: [B, T, D] -> same.

        One thing to look at gets all the weight: queries and keys have no say.
        """
        weight, bias = self.in_proj_weight.chunk(3)[2], self.in_proj_bias.chunk(3)[2]
        heard: Tensor = self.out_proj(functional.linear(memory, weight, bias))
        return heard
