"""What the motion network hears: a low-rank view of the speech features, and the voice's level.

Seven minutes of clips are memorised at once through a full embedding; a few fixed directions of it
generalise to other people. The projection is computed once from the training voices and travels
in the checkpoint.
"""

from dataclasses import dataclass

import numpy as np

from models.shapes import FloatArray
from models.speech import LOUDNESS_FLOOR_DB, SpeechFeatures

LEVEL_CHANNELS = 2
LEVEL_HISTORY_FRAMES = 250  # how far back the loudest moment counts: 10 s
QUIETEST_PEAK_DB = -42.0  # a voice that never got louder is taken as background
LEVEL_SPAN_DB = 12.0


@dataclass(frozen=True, slots=True)
class VoiceProjection:
    """Embeddings [T, D] -> [T, C - 2]: ``(embeddings - mean) @ basis``, about unit spread.

    Raises ValueError when the shapes do not fit.
    """

    mean: FloatArray  # [D]
    basis: FloatArray  # [D, C - 2]

    def __post_init__(self) -> None:
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
        return int(self.basis.shape[1]) + LEVEL_CHANNELS

    def condition(self, voice: SpeechFeatures, past_db: FloatArray) -> FloatArray:
        """Condition [T, C] of consecutive frames; ``past_db`` [n] is the loudness before them."""
        low_rank = (voice.embeddings - self.mean) @ self.basis
        return np.concatenate([low_rank, level_channels(voice.loudness_db, past_db)], 1).astype(
            np.float32
        )


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


def principal_projection(embeddings: FloatArray, components: int) -> VoiceProjection:
    """Whitened principal components of training voices [T, D].

    Raises ValueError when there are fewer dimensions than components.
    """
    if components > embeddings.shape[1]:
        raise ValueError(f"{components} components of {embeddings.shape[1]} dimensions")
    mean = embeddings.mean(0)
    covariance = np.cov(embeddings - mean, rowvar=False).astype(np.float64)
    variance, axes = np.linalg.eigh(covariance)
    order = np.argsort(variance)[::-1][:components]
    basis = axes[:, order] / np.sqrt(np.maximum(variance[order], 1e-8))
    return VoiceProjection(mean.astype(np.float32), basis.astype(np.float32))
