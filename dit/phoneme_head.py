"""Which phoneme is heard: a small classifier of an encoder's embeddings, frame by frame.

It lies beside the encoder's weights and travels in every motion checkpoint.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from dit.speech_phonemes import PHONEMES
from models.errors import WeightsError
from models.shapes import FloatArray

HEAD_FILE = "phoneme_head.safetensors"


@dataclass(frozen=True, slots=True)
class Linear:
    """x @ weight + bias. Raises ValueError when the shapes do not fit."""

    weight: FloatArray  # [in, out]
    bias: FloatArray  # [out]

    def __post_init__(self) -> None:
        if self.weight.ndim != 2 or self.bias.shape != self.weight.shape[1:]:
            raise ValueError(
                f"phoneme weight {self.weight.shape} and bias {self.bias.shape} do not fit"
            )

    def __call__(self, x: FloatArray) -> FloatArray:
        """x: [T, in] -> [T, out]"""
        return np.asarray(x @ self.weight + self.bias, np.float32)


@dataclass(frozen=True, slots=True)
class PhonemeHead:
    """P phonemes, with one hidden layer (ReLU) or none; P == 0 for an encoder without a head.

    Raises ValueError when the shapes do not fit.
    """

    last: Linear  # to P
    hidden: Linear | None = None  # from D

    def __post_init__(self) -> None:
        if self.hidden is not None and len(self.hidden.bias) != len(self.last.weight):
            raise ValueError(
                f"phoneme layers {self.hidden.weight.shape} and {self.last.weight.shape} do not fit"
            )

    @property
    def embedding_dim(self) -> int:
        """D."""
        return len((self.hidden or self.last).weight)

    @property
    def phonemes(self) -> int:
        """P."""
        return len(self.last.bias)

    def __call__(self, embeddings: FloatArray) -> FloatArray:
        """[T, D] -> probabilities [T, P]."""
        if not self.phonemes:
            return np.zeros((len(embeddings), 0), np.float32)
        if self.hidden is not None:
            embeddings = np.maximum(self.hidden(embeddings), 0.0)
        logits = self.last(embeddings)
        odds = np.exp(logits - logits.max(1, keepdims=True))
        return np.asarray(odds / odds.sum(1, keepdims=True), np.float32)

    def tensors(self) -> dict[str, FloatArray]:
        """By name, rows are outputs as in ``torch.nn.Linear``."""
        layers = {"": self.last} if self.hidden is None else {"": self.last, "hidden.": self.hidden}
        return {
            f"{name}{part}": np.ascontiguousarray(value)
            for name, layer in layers.items()
            for part, value in (("weight", layer.weight.T), ("bias", layer.bias))
        }

    @classmethod
    def of_tensors(cls, tensors: dict[str, FloatArray]) -> "PhonemeHead":
        """Inverse of ``tensors``. Raises KeyError and ValueError for others."""

        def layer(name: str) -> Linear:
            weight = np.ascontiguousarray(tensors[f"{name}weight"].T)
            return Linear(weight, tensors[f"{name}bias"])

        return cls(layer(""), layer("hidden.") if "hidden.weight" in tensors else None)


def no_phonemes(dim: int) -> PhonemeHead:
    """A head that hears none, for embeddings of ``dim`` dimensions."""
    return PhonemeHead(Linear(np.zeros((dim, 0), np.float32), np.zeros(0, np.float32)))


def save_phoneme_head(head: PhonemeHead, encoder: Path) -> None:
    """Write ``phoneme_head.safetensors`` into an encoder's directory."""
    save_file(head.tensors(), encoder / HEAD_FILE, {"phonemes": " ".join(PHONEMES)})


def load_phoneme_head(encoder: Path, dim: int) -> PhonemeHead:
    """``phoneme_head.safetensors`` of an encoder's directory; an empty head where there is none.

    Raises WeightsError when the file is damaged or has other tensors.
    """
    path = encoder / HEAD_FILE
    if not path.is_file():
        return no_phonemes(dim)
    try:
        return PhonemeHead.of_tensors(load_file(path))
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise WeightsError(f"{path} is no phoneme head: {error}") from error
