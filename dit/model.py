"""The diffusion transformer: speech in, motion out, one token per frame of 40 ms.

Blocks are "adaLN-zero" (Peebles & Xie, arXiv 2212.09748): the flow time scales, shifts and gates
every branch, and all gates start shut, so that the untrained network is the identity on its
tokens. Positions are rotary (Su et al., arXiv 2104.09864), therefore windows may be shorter than
those of the training. The voice goes in beside the motion, frame by frame ("in context"): at
25 FPS each mouth shape belongs to a sound of the same moment, and the window is short.

The network predicts x0, the clean motion; ``dit/sampler.py`` turns that into samples.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

ROTARY_BASE = 10_000.0


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """Sizes. ``motion_channels`` is M; ``condition_channels`` is C, of dit/condition.py."""

    motion_channels: int
    condition_channels: int
    width: int = 192
    layers: int = 4
    heads: int = 4
    mlp_ratio: int = 3
    dropout: float = 0.15
    style_channels: int = 0  # S, of dit/style.py; 0: no speaker's style is taken

    def __post_init__(self) -> None:
        if self.width % self.heads or (self.width // self.heads) % 2:
            raise ValueError(
                f"width {self.width} does not split into {self.heads} heads of even size"
            )


def rotary_table(frames: int, size: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines [T, size / 2] of the positions 0..T-1."""
    rates = ROTARY_BASE ** (-torch.arange(0, size, 2, device=like.device) / size)
    angle = torch.arange(frames, device=like.device)[:, None] * rates
    return angle.cos().to(like.dtype), angle.sin().to(like.dtype)


def rotate(x: Tensor, table: tuple[Tensor, Tensor]) -> Tensor:
    """Rotary positions for queries or keys [B, heads, T, size]."""
    cos, sin = table
    even, odd = x.chunk(2, -1)
    return torch.cat([even * cos - odd * sin, even * sin + odd * cos], -1)


class TimeEmbedding(nn.Module):
    """Flow time in 0..1 [B] -> [B, width]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.rates = width // 2
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, time: Tensor) -> Tensor:
        rates = torch.exp(
            -math.log(ROTARY_BASE) * torch.arange(self.rates, device=time.device) / self.rates
        )
        angle = 1000.0 * time[:, None] * rates
        embedded: Tensor = self.mlp(torch.cat([angle.cos(), angle.sin()], -1))
        return embedded


class WindowDropout(nn.Module):
    """Drops a channel for a whole window (Gal & Ghahramani, arXiv 1512.05287): neighbouring frames
    would tell what a dropped one held, and a CPU spends a tenth of a step on drawing each anew."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, channels] -> the same"""
        return functional.dropout1d(x.transpose(1, 2), self.share, self.training).transpose(1, 2)


class Block(nn.Module):
    """Self-attention and an MLP, both modulated and gated by the flow time."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        width = config.width
        self.heads, self.dropout = config.heads, config.dropout
        self.norm1 = nn.LayerNorm(width, elementwise_affine=False)
        self.norm2 = nn.LayerNorm(width, elementwise_affine=False)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        hidden = config.mlp_ratio * width
        self.mlp = nn.Sequential(
            nn.Linear(width, hidden),
            nn.GELU(approximate="tanh"),
            WindowDropout(config.dropout),
            nn.Linear(hidden, width),
        )
        self.modulation = nn.Linear(width, 6 * width)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x: Tensor, time: Tensor, table: tuple[Tensor, Tensor]) -> Tensor:
        """x: [B, T, width]; time: [B, width]; table: of ``rotary_table`` -> [B, T, width]"""
        shift1, scale1, gate1, shift2, scale2, gate2 = self.modulation(functional.silu(time))[
            :, None
        ].chunk(6, -1)  # each [B, 1, width]
        x = x + gate1 * self.attend(self.norm1(x) * (1 + scale1) + shift1, table)
        mixed: Tensor = x + gate2 * self.mlp(self.norm2(x) * (1 + scale2) + shift2)
        return mixed

    def attend(self, x: Tensor, table: tuple[Tensor, Tensor]) -> Tensor:
        """Every frame looks at every frame: [B, T, width] -> the same."""
        batch, frames, width = x.shape
        q, k, v = (
            part.view(batch, frames, self.heads, -1).transpose(1, 2)
            for part in self.qkv(x).chunk(3, -1)
        )
        mixed = functional.scaled_dot_product_attention(
            rotate(q, table), rotate(k, table), v, dropout_p=self.dropout if self.training else 0.0
        )
        out: Tensor = self.out(mixed.transpose(1, 2).reshape(batch, frames, width))
        return out


class MotionDiT(nn.Module):
    """x0(x, t, condition, context): see ``forward``."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.motion_in = nn.Linear(config.motion_channels, config.width)
        self.voice_in = nn.Linear(config.condition_channels + 1, config.width)
        self.context_mark = nn.Parameter(torch.zeros(2, config.width))  # unknown, known
        self.new_mark = nn.Parameter(torch.zeros(config.width))
        self.time = TimeEmbedding(config.width)
        if config.style_channels:
            self.style_in = nn.Linear(config.style_channels + 1, config.width)
            nn.init.zeros_(self.style_in.weight)
            nn.init.zeros_(self.style_in.bias)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width, elementwise_affine=False)
        self.final_modulation = nn.Linear(config.width, 2 * config.width)
        self.motion_out = nn.Linear(config.width, config.motion_channels)
        nn.init.normal_(self.context_mark, std=0.02)
        nn.init.normal_(self.new_mark, std=0.02)
        for layer in (self.final_modulation, self.motion_out):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(
        self,
        x: Tensor,
        time: Tensor,
        condition: Tensor,
        context: Tensor,
        style: Tensor | None = None,
    ) -> Tensor:
        """Predict the clean motion of the new frames.

        x: [B, T_new, M] noisy motion; time: [B] in 0..1 (1 = noise);
        condition: [B, T_context + T_new, C + 1], the last channel says whether the frame's voice is
        known (where it is not, the others are ignored);
        context: [B, T_context, M + 1] motion already shown, the last channel says whether it is
        known; style: [B, S + 1], likewise, or None for an unknown one -> [B, T_new, M]
        """
        voice_known = condition[..., -1:]
        voice = self.voice_in(torch.cat([condition[..., :-1] * voice_known, voice_known], -1))
        seen, known = context[..., :-1], context[..., -1:]
        old = self.motion_in(seen * known)
        old = old + known * self.context_mark[1] + (1 - known) * self.context_mark[0]
        tokens = torch.cat([old, self.motion_in(x) + self.new_mark], 1) + voice
        embedded = self.time(time)
        if style is not None and self.config.style_channels:
            embedded = embedded + self.style_in(style * style[:, -1:])
        size = self.config.width // self.config.heads
        table = rotary_table(tokens.shape[1], size, tokens)
        for block in self.blocks:
            tokens = block(tokens, embedded, table)
        shift, scale = self.final_modulation(functional.silu(embedded))[:, None].chunk(2, -1)
        new = self.norm(tokens[:, context.shape[1] :]) * (1 + scale) + shift
        x0: Tensor = self.motion_out(new)
        return x0
