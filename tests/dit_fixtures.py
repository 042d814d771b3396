"""Small seeded networks that behave like the real ones, for the motion room's tests."""

from functools import cache

import numpy as np
import torch

from dit.checkpoint import MotionCheckpoint, Sampling
from dit.condition import VoiceProjection
from dit.layout import MOTION_CHANNELS, MotionLayout
from dit.model import MotionDiT, NetworkConfig
from dit.phoneme_head import Linear, PhonemeHead
from models.device import DevicePolicy
from models.shapes import FloatArray
from models.speech_encoder import EncoderWindow, SpeechEncoder
from models.speech_networks import wrap_speech_model
from models.timing import SAMPLE_RATE_HZ

torch.set_num_threads(1)  # networks this small only wait for more
TORCH_POLICY = DevicePolicy("cpu", "fp32", "torch")
EMBEDDING_DIM = 16
PHONEMES = 3


@cache
def tiny_encoder() -> SpeechEncoder:
    """A wav2vec2 of a few thousand seeded weights with the product's window."""
    import transformers

    config = transformers.Wav2Vec2Config(
        hidden_size=EMBEDDING_DIM,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        conv_dim=(8,) * 7,
        num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=2,
    )
    torch.manual_seed(1)
    model = transformers.Wav2Vec2Model(config).eval()
    network = wrap_speech_model(model, normalise=False, name="tiny")
    return SpeechEncoder(network, TORCH_POLICY, EncoderWindow())


def tiny_checkpoint(
    engine: str = "lite", sampling: Sampling | None = None, style_channels: int = 0
) -> MotionCheckpoint:
    """A motion network whose gates are open, so that its output depends on all its inputs."""
    torch.manual_seed(2)
    config = NetworkConfig(
        MOTION_CHANNELS, 6 + PHONEMES, width=32, layers=2, heads=2, style_channels=style_channels
    )
    network = MotionDiT(config).eval()
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if "modulation" in name or "motion_out" in name or "style_in" in name:
                weight.normal_(0.0, 0.05)
    rng = np.random.default_rng(3)
    spread = rng.uniform(0.5, 1.5, MOTION_CHANNELS).astype(np.float32)
    spread[6] = 0.01
    layout = MotionLayout(engine, np.zeros(MOTION_CHANNELS, np.float32), spread)
    basis = rng.normal(0, 0.25, (EMBEDDING_DIM, 4)).astype(np.float32)
    phonemes = rng.normal(0, 1, (EMBEDDING_DIM, PHONEMES)).astype(np.float32)
    head = PhonemeHead(Linear(phonemes, np.zeros(PHONEMES, np.float32)))
    projection = VoiceProjection(np.zeros(EMBEDDING_DIM, np.float32), basis, head)
    return MotionCheckpoint(
        network, layout, projection, "tiny", sampling or Sampling(steps=2, guidance=1.5)
    )


def babble(seconds: float, seed: int = 0, level: float = 0.1) -> FloatArray:
    """Noise in syllables of a quarter of a second: loud enough to open a mouth."""
    rng = np.random.default_rng(seed)
    count = round(seconds * SAMPLE_RATE_HZ)
    swell = np.abs(np.sin(np.arange(count) / SAMPLE_RATE_HZ * 4 * np.pi))
    return (level * swell * rng.standard_normal(count)).astype(np.float32)
