"""What the motion network hears: a low-rank view of the speech features, and the voice's level.

Seven minutes of clips are memorised at once through a full embedding. What generalises to other
people is which phoneme is heard, and a few fixed directions of the embedding. The encoder's phoneme
head and the projection, computed once from the training voices, travel in the checkpoint.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from models.errors import WeightsError
from models.shapes import FloatArray
from models.speech import LOUDNESS_FLOOR_DB, SpeechFeatures

HEAD_FILE = "phoneme_head.safetensors"
PHONEME_GAIN = 3.0  # probabilities are mostly near zero; this gives them about unit spread
LEVEL_CHANNELS = 2
LEVEL_HISTORY_FRAMES = 250  # how far back the loudest moment counts: 10 s
QUIETEST_PEAK_DB = -42.0  # a voice that never got louder is taken as background
LEVEL_SPAN_DB = 12.0


@dataclass(frozen=True, slots=True)
class PhonemeHead:
    """The encoder's linear phoneme classifier; P == 0 for an encoder without one.

    Raises ValueError when the shapes do not fit.
    """

    weight: FloatArray  # [D, P]
    bias: FloatArray  # [P]

    def __post_init__(self) -> None:
        if self.weight.ndim != 2 or self.bias.shape != self.weight.shape[1:]:
            raise ValueError(
                f"phoneme weight {self.weight.shape} and bias {self.bias.shape} do not fit"
            )

    def __call__(self, embeddings: FloatArray) -> FloatArray:
        """[T, D] -> probabilities [T, P]."""
        logits = embeddings @ self.weight + self.bias
        if not logits.shape[1]:
            return logits
        odds = np.exp(logits - logits.max(1, keepdims=True))
        return np.asarray(odds / odds.sum(1, keepdims=True), np.float32)


def load_phoneme_head(encoder: Path, dim: int) -> PhonemeHead:
    """``phoneme_head.safetensors`` of an encoder's directory; an empty head where there is none.

    Raises WeightsError when the file is damaged or has other tensors.
    """
    path = encoder / HEAD_FILE
    if not path.is_file():
        return PhonemeHead(np.zeros((dim, 0), np.float32), np.zeros(0, np.float32))
    try:
        tensors = load_file(path)
        return PhonemeHead(np.ascontiguousarray(tensors["weight"].T), tensors["bias"])
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise WeightsError(f"{path} is no phoneme head: {error}") from error


@dataclass(frozen=True, slots=True)
class VoiceProjection:
    """Embeddings [T, D] -> [T, C]: phonemes, principal directions, levels; about unit spread.

    Raises ValueError when the shapes do not fit.
    """

    mean: FloatArray  # [D]
    basis: FloatArray  # [D, B]: ``(embeddings - mean) @ basis`` has unit spread
    head: PhonemeHead

    def __post_init__(self) -> None:
        if self.head.weight.shape[0] != self.mean.shape[0]:
            raise ValueError(
                f"phoneme head {self.head.weight.shape} does not fit embeddings of "
                f"{self.mean.shape[0]} dimensions"
            )
        if self.basis.ndim != 2 or self.mean.shape != self.basis.shape[:1]:
            raise ValueError(
                f"projection mean {self.mean.shape} and basis {self.basis.shape} do not fit"
            )

    @property
    def embedding_dim(self) -> int:
        """D, of the encoder it was computed for."""
        return int(self.mean.shape[0])

    @property
    def channels(self) -> int:
        """C, channels of a condition frame."""
        return int(self.head.bias.shape[0]) + int(self.basis.shape[1]) + LEVEL_CHANNELS

    def condition(self, voice: SpeechFeatures, past_db: FloatArray) -> FloatArray:
        """Condition [T, C] of consecutive frames; ``past_db`` [n] is the loudness before them."""
        phonemes = PHONEME_GAIN * self.head(voice.embeddings)
        low_rank = (voice.embeddings - self.mean) @ self.basis
        levels = level_channels(voice.loudness_db, past_db)
        return np.concatenate([phonemes, low_rank, levels], 1).astype(np.float32)


def level_channels(loudness_db: FloatArray, past_db: FloatArray) -> FloatArray:
    """Level of T frames below the loudest of the last 10 s, and its rise since the last frame.

    loudness_db: [T]; past_db: [n], the frames before them -> [T, 2]. Relative, so that a quiet
    microphone opens the mouth like a loud one.
    """
    before = past_db[-LEVEL_HISTORY_FRAMES:]
    level = np.concatenate([before, loudness_db])
    padded = np.concatenate([np.full(LEVEL_HISTORY_FRAMES, LOUDNESS_FLOOR_DB), level])
    windows = np.lib.stride_tricks.sliding_window_view(padded, LEVEL_HISTORY_FRAMES + 1)
    peak = np.maximum(windows.max(1)[-len(level) :], QUIETEST_PEAK_DB)
    relative = np.clip((level - peak) / LEVEL_SPAN_DB + 1.0, -2.0, 1.0)
    rise = np.diff(relative, prepend=relative[:1])
    return np.stack([relative, rise], 1)[len(before) :].astype(np.float32)


def principal_projection(
    embeddings: FloatArray, components: int, head: PhonemeHead | None = None
) -> VoiceProjection:
    """Whitened principal components of training voices [T, D], beside the phonemes of ``head``.

    Raises ValueError when there are fewer dimensions than components.
    """
    if components > embeddings.shape[1]:
        raise ValueError(f"{components} components of {embeddings.shape[1]} dimensions")
    mean = embeddings.mean(0)
    covariance = np.cov(embeddings - mean, rowvar=False).astype(np.float64)
    variance, axes = np.linalg.eigh(covariance)
    order = np.argsort(variance)[::-1][:components]
    basis = axes[:, order] / np.sqrt(np.maximum(variance[order], 1e-8))
    none = PhonemeHead(np.zeros((len(mean), 0), np.float32), np.zeros(0, np.float32))
    return VoiceProjection(mean.astype(np.float32), basis.astype(np.float32), head or none)
