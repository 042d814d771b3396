"""JoyVASA's motion network: voice features and the motion before them -> 100 frames of motion.

Source: "JoyVASA: Portrait and Animal Image Animation with Diffusion-Based Audio-Driven Facial
Dynamics and Head Motion Generation" (arXiv 2411.09209); names, shapes and the order of operations
are those of ``src/modules/dit_talking_head.py`` in the official repository (MIT licence).
"""

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from dit.published.attention import Attention

# "constant" is what the published weights were trained with: row 110 of the table for every frame,
# so the network sees no order; later versions of the official code number the frames.
Positions = Literal["constant", "sequential"]

FRAMES = 100  # of a window
PREVIOUS_FRAMES = 10
MOTION_CHANNELS = 73
WIDTH = 256
HEADS = 8
LAYERS = 8
DIFFUSION_STEPS = 50
ENCODER_DIM = 768
TOKENS = PREVIOUS_FRAMES + FRAMES
STEP_ROWS, POSITION_ROWS = 501, 600  # of the tables in the published file


class SinusoidTable(nn.Module):
    """Sine and cosine rows of growing wavelength, interleaved: ``pe`` [1, rows, width]."""

    pe: Tensor

    def __init__(self, rows: int, width: int) -> None:
        super().__init__()
        places = torch.arange(rows, dtype=torch.float32)[:, None]
        rates = torch.exp(torch.arange(0, width, 2).float() * (-math.log(10_000.0) / width))
        table = torch.stack([torch.sin(places * rates), torch.cos(places * rates)], -1)
        self.register_buffer("pe", table.reshape(1, rows, width))


class DecoderLayer(nn.Module):
    """Post-norm block: motion looks at motion, hears its frame's voice, thinks."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.self_attn = Attention(width, heads)
        self.multihead_attn = Attention(width, heads)
        self.linear1 = nn.Linear(width, 4 * width)
        self.linear2 = nn.Linear(4 * width, width)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.norm3 = nn.LayerNorm(width)

    def forward(self, x: Tensor, voice: Tensor) -> Tensor:
        """x, voice: [B, T, D] -> [B, T, D]."""
        x = self.norm1(x + self.self_attn(x, x, x))
        x = self.norm2(x + self.multihead_attn.aligned(voice))
        thought = self.linear2(functional.gelu(self.linear1(x)))
        normed: Tensor = self.norm3(x + thought)
        return normed


class Decoder(nn.Module):
    """The layers one after the other, no norm after the last."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(DecoderLayer(WIDTH, HEADS) for _ in range(LAYERS))

    def forward(self, x: Tensor, voice: Tensor) -> Tensor:
        """x, voice: [B, T, D] -> [B, T, D]."""
        for layer in self.layers:
            x = layer(x, voice)
        return x


class DenoisingNetwork(nn.Module):
    """Noisy motion of a window -> the motion itself."""

    alignment_mask: Tensor

    def __init__(self, positions: Positions = "constant") -> None:
        super().__init__()
        self.positions = positions
        self.TE = SinusoidTable(STEP_ROWS, WIDTH)
        self.PE = SinusoidTable(POSITION_ROWS, WIDTH)
        # in the file; ``Attention.aligned`` is what it says
        self.register_buffer("alignment_mask", ~torch.eye(TOKENS, dtype=torch.bool))
        self.diff_step_map = nn.Sequential(
            nn.Linear(WIDTH, WIDTH), nn.GELU(), nn.Linear(WIDTH, WIDTH)
        )
        self.feature_proj = nn.Linear(MOTION_CHANNELS, WIDTH)
        self.transformer = Decoder()
        self.motion_dec = nn.Sequential(
            nn.Linear(WIDTH, WIDTH // 2), nn.GELU(), nn.Linear(WIDTH // 2, MOTION_CHANNELS)
        )

    def forward(
        self,
        motion: Tensor,
        voice: Tensor,
        previous_motion: Tensor,
        previous_voice: Tensor,
        step: Tensor,
    ) -> Tensor:
        """motion [B, 100, 73], voice [B, 100, 256] and the 10 frames before of both; step [B],
        1 to 50 -> x0 of all 110 frames [B, 110, 73]."""
        x = self.feature_proj(torch.cat([previous_motion, motion], 1))
        frames = x.shape[1]
        if self.positions == "constant":
            x = x + self.PE.pe[:, TOKENS]
        else:
            x = x + self.PE.pe[:, :frames]
        x = x + self.diff_step_map(self.TE.pe[0, step])[:, None]
        heard = torch.cat([previous_voice, voice], 1)
        clean: Tensor = self.motion_dec(self.transformer(x, heard))
        return clean


class DiffusionTable(nn.Module):
    """The noise schedule as the file carries it; entry 0 is clean."""

    alpha_bars: Tensor

    def __init__(self, steps: int = DIFFUSION_STEPS) -> None:
        super().__init__()
        names = ("betas", "alphas", "alpha_bars", "sigmas_flex", "sigmas_inflex")
        for name in names:
            self.register_buffer(name, torch.zeros(steps + 1))


class JoyvasaNetwork(nn.Module):
    """All of the published file: audio encoder, what stands for no voice and for no past,
    denoiser, schedule. ``audio_encoder``: see ``joyvasa_audio.hubert_base``."""

    def __init__(self, audio_encoder: Any, positions: Positions = "constant") -> None:
        super().__init__()
        self.audio_encoder = audio_encoder
        self.audio_feature_map = nn.Linear(ENCODER_DIM, WIDTH)
        self.start_audio_feat = nn.Parameter(torch.empty(1, PREVIOUS_FRAMES, WIDTH))
        self.start_motion_feat = nn.Parameter(torch.empty(1, PREVIOUS_FRAMES, MOTION_CHANNELS))
        self.null_audio_feat = nn.Parameter(torch.empty(1, 1, WIDTH))
        self.denoising_net = DenoisingNetwork(positions)
        self.diffusion_sched = DiffusionTable()
