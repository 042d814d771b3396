"""Trains the phoneme head of a speech encoder on synthetic speech, whose phonemes are known."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from dit.phoneme_head import Linear, PhonemeHead
from dit.speech_phonemes import PHONEMES, PhonemeTimes
from models.shapes import FloatArray


@dataclass(frozen=True, slots=True)
class HeadTraining:
    """How long and how strictly."""

    hidden: int = 256
    passes: int = 8  # over all frames
    batch: int = 512
    learning_rate: float = 4e-3
    weight_decay: float = 1e-4
    noise: float = 0.2  # added to standardised embeddings: other voices than the synthesiser's
    smoothing: float = 0.05  # of the labels
    seed: int = 0


def train_head(
    spoken: Iterable[tuple[FloatArray, PhonemeTimes]], settings: HeadTraining
) -> PhonemeHead:
    """From embeddings [T, D] and the phonemes said; the same settings give the same head."""
    pairs = [(voice, times.frames(len(voice))) for voice, times in spoken]
    embeddings = np.concatenate([pair[0] for pair in pairs]).astype(np.float32)
    mean, spread = embeddings.mean(0), embeddings.std(0) + 1e-6
    x = torch.from_numpy((embeddings - mean) / spread)
    y = torch.from_numpy(np.concatenate([pair[1] for pair in pairs]))
    layers = _fitted(x, y, settings)
    first, last = (
        Linear(layer.weight.detach().numpy().T.copy(), layer.bias.detach().numpy())
        for layer in layers
    )
    # the standardisation becomes part of the first layer
    weight = first.weight / spread[:, None]
    hidden = Linear(weight, first.bias - mean @ weight)
    return PhonemeHead(last, hidden)


def _fitted(x: torch.Tensor, y: torch.Tensor, settings: HeadTraining) -> list[nn.Linear]:
    """x: [N, D] standardised; y: [N] -> both layers."""
    torch.manual_seed(settings.seed)
    first, last = nn.Linear(x.shape[1], settings.hidden), nn.Linear(settings.hidden, len(PHONEMES))
    network = nn.Sequential(nn.Dropout(0.1), first, nn.ReLU(), nn.Dropout(0.2), last)
    steps = max(1, settings.passes * len(x) // settings.batch)
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, total_steps=steps
    )
    criterion = nn.CrossEntropyLoss(label_smoothing=settings.smoothing)
    for _ in range(steps):
        rows = torch.randint(len(x), (settings.batch,))
        noisy = x[rows] + settings.noise * torch.randn(len(rows), x.shape[1])
        loss = criterion(network(noisy), y[rows])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
    return [first, last]


def accuracy(head: PhonemeHead, spoken: Iterable[tuple[FloatArray, PhonemeTimes]]) -> float:
    """Share of frames whose likeliest phoneme is the one said."""
    right = [head(v).argmax(1) == times.frames(len(v)) for v, times in spoken]
    return float(np.concatenate(right).mean())
