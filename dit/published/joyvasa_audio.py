"""What JoyVASA hears: a fine-tuned HuBERT over windows of exactly 4 s, as 100 features.

The encoder is inside the published motion file. Source: ``extract_audio_feature`` and
``pad_audio`` of the official ``src/modules``.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dit.published.joyvasa import FRAMES, JoyvasaNetwork
from models.shapes import FloatArray
from models.timing import SAMPLES_PER_FRAME

WINDOW_SAMPLES = FRAMES * SAMPLES_PER_FRAME  # 4 s
_EDGE_SAMPLES = 20  # mirrored twice at each end, so that HuBERT gives 200 states, not 199


def hubert_base() -> Any:
    """An empty HuBERT base, tensors named as in the published file."""
    import transformers

    return transformers.HubertModel(transformers.HubertConfig()).eval()


def padded_window(voice: FloatArray) -> FloatArray:
    """One window [64000] -> [64080], its ends mirrored in two passes of 20 samples.

    Raises ValueError on another length.
    """
    if voice.shape != (WINDOW_SAMPLES,):
        raise ValueError(f"a window is [{WINDOW_SAMPLES}] samples, not {voice.shape}")
    once = np.pad(voice, _EDGE_SAMPLES, mode="reflect")
    return np.pad(once, _EDGE_SAMPLES, mode="reflect")


class VoiceFeatures(nn.Module):
    """Padded windows [B, 64080] -> features [B, 100, 256]."""

    def __init__(self, network: JoyvasaNetwork) -> None:
        super().__init__()
        self.audio_encoder = network.audio_encoder
        self.audio_feature_map = network.audio_feature_map

    def forward(self, padded: Tensor) -> Tensor:
        states = self.audio_encoder(padded).last_hidden_state  # [B, 200, 768]
        frames = states.reshape(len(states), FRAMES, 2, states.shape[-1]).mean(2)  # 50 to 25 Hz
        mapped: Tensor = self.audio_feature_map(frames)
        return mapped


def example_window() -> tuple[Tensor]:
    """What ``VoiceFeatures`` is compiled with."""
    return (torch.zeros(1, WINDOW_SAMPLES + 4 * _EDGE_SAMPLES),)
