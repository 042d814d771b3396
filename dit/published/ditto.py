"""Ditto's motion network (LMDM): 80 frames of motion from voice, emotion, eyes and keypoints.

Source: "Ditto: Motion-Space Diffusion for Controllable Realtime Talking Head Synthesis" (arXiv
2411.19509); names, shapes and the order of operations are those of ``core/models/modules`` in the
official repository (Apache-2.0), which follow EDGE's dance decoder (arXiv 2211.10658).
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from dit.published.attention import Attention

FRAMES = 80  # of a window
MOTION_CHANNELS = 265
CONDITION_CHANNELS = 1103  # HuBERT 1024, emotion 8, eyes open 2, eyeballs 6, keypoints 63
WIDTH = 512
HEADS = 8
STEP_TOKENS = 2


class RotaryPositions(nn.Module):
    """Turns pairs of neighbouring channels by their place (arXiv 2104.09864): over the whole width,
    before heads are split."""

    def __init__(self, width: int) -> None:
        super().__init__()
        rates = 10_000.0 ** (-torch.arange(0, width, 2).float() / width)
        self.freqs = nn.Parameter(rates, requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, D] -> [B, T, D]."""
        places = torch.arange(x.shape[1], device=x.device, dtype=self.freqs.dtype)
        angles = (places[:, None] * self.freqs).repeat_interleave(2, -1)  # [T, D]
        turned = torch.stack([-x[..., 1::2], x[..., 0::2]], -1).flatten(-2)
        return x * angles.cos() + turned * angles.sin()


class StepEmbedding(nn.Module):
    """Diffusion times [B] -> sines, then cosines [B, D]."""

    def forward(self, step: Tensor) -> Tensor:
        half = WIDTH // 2
        rates = torch.exp(torch.arange(half, device=step.device) * (-math.log(10_000) / (half - 1)))
        angles = step.float()[:, None] * rates
        return torch.cat([angles.sin(), angles.cos()], -1)


class FeatureModulation(nn.Module):
    """FiLM: a vector says how much to scale and shift every channel."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Sequential(nn.Mish(), nn.Linear(WIDTH, 2 * WIDTH))

    def forward(self, x: Tensor, vector: Tensor) -> Tensor:
        """x [B, T, D], vector [B, D] -> [B, T, D]."""
        scale, shift = self.block(vector)[:, None].chunk(2, -1)
        modulated: Tensor = x * (scale + 1) + shift
        return modulated


class ConditionLayer(nn.Module):
    """Pre-norm encoder block."""

    def __init__(self) -> None:
        super().__init__()
        self.rotary = RotaryPositions(WIDTH)
        self.self_attn = Attention(WIDTH, HEADS)
        self.linear1 = nn.Linear(WIDTH, 2 * WIDTH)
        self.linear2 = nn.Linear(2 * WIDTH, WIDTH)
        self.norm1 = nn.LayerNorm(WIDTH)
        self.norm2 = nn.LayerNorm(WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, D] -> [B, T, D]."""
        normed = self.norm1(x)
        placed = self.rotary(normed)
        x = x + self.self_attn(placed, placed, normed)
        thought: Tensor = self.linear2(functional.gelu(self.linear1(self.norm2(x))))
        return x + thought


class MotionLayer(nn.Module):
    """Pre-norm decoder block, the output of each branch modulated."""

    def __init__(self) -> None:
        super().__init__()
        self.rotary = RotaryPositions(WIDTH)
        self.self_attn = Attention(WIDTH, HEADS)
        self.multihead_attn = Attention(WIDTH, HEADS)
        self.linear1 = nn.Linear(WIDTH, 2 * WIDTH)
        self.linear2 = nn.Linear(2 * WIDTH, WIDTH)
        self.norm1 = nn.LayerNorm(WIDTH)
        self.norm2 = nn.LayerNorm(WIDTH)
        self.norm3 = nn.LayerNorm(WIDTH)
        self.film1 = FeatureModulation()
        self.film2 = FeatureModulation()
        self.film3 = FeatureModulation()

    def forward(self, x: Tensor, memory: Tensor, vector: Tensor) -> Tensor:
        """x [B, T, D], memory [B, T + 2, D], vector [B, D] -> [B, T, D]."""
        normed = self.norm1(x)
        placed = self.rotary(normed)
        x = x + self.film1(self.self_attn(placed, placed, normed), vector)
        query, key = self.rotary(self.norm2(x)), self.rotary(memory)
        x = x + self.film2(self.multihead_attn(query, key, memory), vector)
        thought = self.linear2(functional.gelu(self.linear1(self.norm3(x))))
        modulated: Tensor = x + self.film3(thought, vector)
        return modulated


class MotionDecoder(nn.Module):
    """The layers one after the other, no norm after the last."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = nn.ModuleList(MotionLayer() for _ in range(8))

    def forward(self, x: Tensor, memory: Tensor, vector: Tensor) -> Tensor:
        """As ``MotionLayer.forward``."""
        for layer in self.stack:
            x = layer(x, memory, vector)
        return x


class DittoNetwork(nn.Module):
    """Noisy motion of a window -> the motion itself."""

    def __init__(self) -> None:
        super().__init__()
        self.rotary = RotaryPositions(WIDTH)  # in the file; the layers have their own
        self.input_projection = nn.Linear(2 * MOTION_CHANNELS, WIDTH)
        self.cond_projection = nn.Linear(CONDITION_CHANNELS, WIDTH)
        self.cond_encoder = nn.Sequential(*(ConditionLayer() for _ in range(2)))
        self.null_cond_embed = nn.Parameter(torch.empty(1, FRAMES, WIDTH))
        self.null_cond_hidden = nn.Parameter(torch.empty(1, WIDTH))
        self.non_attn_cond_projection = nn.Sequential(
            nn.LayerNorm(WIDTH), nn.Linear(WIDTH, WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH)
        )
        self.time_mlp = nn.Sequential(StepEmbedding(), nn.Linear(WIDTH, 4 * WIDTH), nn.Mish())
        self.to_time_cond = nn.Sequential(nn.Linear(4 * WIDTH, WIDTH))
        self.to_time_tokens = nn.Sequential(nn.Linear(4 * WIDTH, STEP_TOKENS * WIDTH))
        self.norm_cond = nn.LayerNorm(WIDTH)
        self.seqTransDecoder = MotionDecoder()
        self.final_layer = nn.Linear(WIDTH, MOTION_CHANNELS)

    def forward(
        self, motion: Tensor, frame: Tensor, condition: Tensor, step: Tensor, heard: Tensor
    ) -> Tensor:
        """motion [B, 80, 265], frame [B, 265] to go on from, condition [B, 80, 1103], step [B],
        0 to 999; heard [B]: whether the condition counts -> x0 [B, 80, 265]."""
        frames = frame[:, None].expand(-1, motion.shape[1], -1)
        x = self.input_projection(torch.cat([motion, frames], -1))
        tokens = self.cond_encoder(self.cond_projection(condition))
        pooled = self.non_attn_cond_projection(tokens.mean(1))
        tokens = torch.where(heard[:, None, None], tokens, self.null_cond_embed)
        pooled = torch.where(heard[:, None], pooled, self.null_cond_hidden)
        timed = self.time_mlp(step)
        vector = self.to_time_cond(timed) + pooled
        steps = self.to_time_tokens(timed).unflatten(-1, (STEP_TOKENS, WIDTH))
        memory = self.norm_cond(torch.cat([tokens, steps], 1))
        clean: Tensor = self.final_layer(self.seqTransDecoder(x, memory, vector))
        return clean
