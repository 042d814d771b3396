"""What the motion network hears: phonemes, a low-rank view of the embedding, mel bands, the level.

Seven minutes of clips are memorised at once through a full embedding. What generalises to other
people is which phoneme is heard, a few fixed directions of the embedding, and the spectrum's rough
shape. The encoder's phoneme head and the projection, computed once from the training voices, travel
in the checkpoint.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from dit.phoneme_head import PhonemeHead, no_phonemes
from models.shapes import FloatArray
from models.speech import LOUDNESS_FLOOR_DB, SpeechFeatures, concatenate

PHONEME_GAIN = 3.0  # probabilities are mostly near zero; this gives them about unit spread
LEVEL_CHANNELS = 2
LEVEL_HISTORY_FRAMES = 250  # how far back the loudest moment counts: 10 s
QUIETEST_PEAK_DB = -42.0  # a voice that never got louder is taken as background
LEVEL_SPAN_DB = 12.0
MOST_DEVIATION = 3.0  # of a mel band, in spreads
NO_PAST = np.zeros(0, np.float32)


@dataclass(frozen=True, slots=True)
class MelNorm:
    """Usual mel bands, in dB under the loudest moment of the last 10 s. B == 0: not listened to."""

    mean: FloatArray = field(default_factory=lambda: np.zeros(0, np.float32))  # [B]
    spread: FloatArray = field(default_factory=lambda: np.ones(0, np.float32))  # [B]

    def __call__(self, mel_db: FloatArray, peak_db: FloatArray) -> FloatArray:
        """mel_db: [T, B]; peak_db: [T] -> [T, B] about unit spread.

        Raises ValueError for features with other bands.
        """
        if not len(self.mean):
            return np.zeros((len(mel_db), 0), np.float32)
        if mel_db.shape[1] != len(self.mean):
            raise ValueError(f"features have {mel_db.shape[1]} mel bands, not {len(self.mean)}")
        scaled = (mel_db - peak_db[:, None] - self.mean) / self.spread
        return np.asarray(np.clip(scaled, -MOST_DEVIATION, MOST_DEVIATION), np.float32)


@dataclass(frozen=True, slots=True)
class VoiceProjection:
    """Features of T frames -> [T, C]: phonemes, principal directions, mel bands, levels; about
    unit spread.

    Raises ValueError when the shapes do not fit.
    """

    mean: FloatArray  # [D]
    basis: FloatArray  # [D, B]: ``(embeddings - mean) @ basis`` has unit spread
    head: PhonemeHead
    mel: MelNorm = field(default_factory=MelNorm)

    def __post_init__(self) -> None:
        if self.head.embedding_dim != self.mean.shape[0]:
            raise ValueError(
                f"phoneme head of {self.head.embedding_dim} dimensions does not fit embeddings of "
                f"{self.mean.shape[0]}"
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
        bands = len(self.mel.mean)
        return self.head.phonemes + int(self.basis.shape[1]) + bands + LEVEL_CHANNELS

    def condition(self, voice: SpeechFeatures, past_db: FloatArray) -> FloatArray:
        """Condition [T, C] of consecutive frames; ``past_db`` [n] is the loudness before them."""
        phonemes = PHONEME_GAIN * self.head(voice.embeddings)
        low_rank = (voice.embeddings - self.mean) @ self.basis
        mel = self.mel(voice.mel_db, peaks_db(voice.loudness_db, past_db))
        levels = level_channels(voice.loudness_db, past_db)
        return np.concatenate([phonemes, low_rank, mel, levels], 1).astype(np.float32)


def peaks_db(loudness_db: FloatArray, past_db: FloatArray) -> FloatArray:
    """Loudest of the last 10 s, as of T frames: [T]. ``past_db`` [n] are the frames before them."""
    level = np.concatenate([past_db[-LEVEL_HISTORY_FRAMES:], loudness_db])
    padded = np.concatenate([np.full(LEVEL_HISTORY_FRAMES, LOUDNESS_FLOOR_DB), level])
    windows = np.lib.stride_tricks.sliding_window_view(padded, LEVEL_HISTORY_FRAMES + 1)
    peaks = np.maximum(windows.max(1), QUIETEST_PEAK_DB)[len(level) - len(loudness_db) :]
    return np.asarray(peaks, np.float32)


def level_channels(loudness_db: FloatArray, past_db: FloatArray) -> FloatArray:
    """Level of T frames below the loudest of the last 10 s, and its rise since the last frame.

    loudness_db: [T]; past_db: [n], the frames before them -> [T, 2]. Relative, so that a quiet
    microphone opens the mouth like a loud one.
    """
    last = past_db[-1:]  # for the first frame's rise
    level = np.concatenate([last, loudness_db])
    peak = peaks_db(level, past_db[:-1])
    relative = np.clip((level - peak) / LEVEL_SPAN_DB + 1.0, -2.0, 1.0)
    rise = np.diff(relative, prepend=relative[:1])
    return np.stack([relative, rise], 1)[len(last) :].astype(np.float32)


def principal_projection(
    voices: Sequence[SpeechFeatures], components: int, head: PhonemeHead | None = None
) -> VoiceProjection:
    """Whitened principal components of training voices, beside the phonemes of ``head`` and,
    where the voices have them, mel bands.

    Raises ValueError when there are fewer dimensions than components.
    """
    everything = concatenate(voices)
    mean, basis = _principal(everything.embeddings, components)
    mel = MelNorm()
    if everything.mel_db.shape[1]:
        under = np.concatenate(
            [v.mel_db - peaks_db(v.loudness_db, NO_PAST)[:, None] for v in voices]
        )
        mel = MelNorm(under.mean(0), under.std(0) + 1e-3)
    return VoiceProjection(mean, basis, head or no_phonemes(len(mean)), mel)


def _principal(embeddings: FloatArray, components: int) -> tuple[FloatArray, FloatArray]:
    """Mean [D] and whitened principal directions [D, B] of embeddings [T, D]."""
    if components > embeddings.shape[1]:
        raise ValueError(f"{components} components of {embeddings.shape[1]} dimensions")
    mean = embeddings.mean(0)
    covariance = np.cov(embeddings - mean, rowvar=False).astype(np.float64)
    variance, axes = np.linalg.eigh(covariance)
    order = np.argsort(variance)[::-1][:components]
    basis = axes[:, order] / np.sqrt(np.maximum(variance[order], 1e-8))
    return mean.astype(np.float32), basis.astype(np.float32)
