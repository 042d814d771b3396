"""What the speech encoder hands on: an embedding, loudness and mel bands per picture frame.

Frame f covers the samples ``[640 f, 640 (f + 1))`` of the voice at 16 kHz.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from models.shapes import FloatArray
from models.timing import SAMPLES_PER_FRAME

LOUDNESS_FLOOR_DB = -80.0


@dataclass(frozen=True, slots=True)
class SpeechFeatures:
    """Features of T frames at 25 FPS.

    Raises ValueError when the arrays do not share their number of frames.
    """

    embeddings: FloatArray  # [T, D]
    loudness_db: FloatArray  # [T], RMS of the frame's 640 samples in dBFS, not below the floor
    # [T, B] energies of bands in dB (models/mel.py); B == 0 where they were not measured
    mel_db: FloatArray = field(default_factory=lambda: np.zeros((0, 0), np.float32))

    def __post_init__(self) -> None:
        if not self.mel_db.size:
            object.__setattr__(self, "mel_db", np.zeros((len(self), 0), np.float32))
        shapes = (self.embeddings.shape, self.loudness_db.shape, self.mel_db.shape)
        if [len(shape) for shape in shapes] != [2, 1, 2] or len({s[0] for s in shapes}) != 1:
            raise ValueError(
                f"embeddings {shapes[0]}, loudness {shapes[1]} and mel bands {shapes[2]}"
                " are not [T, D], [T] and [T, B]"
            )

    def __len__(self) -> int:
        return int(self.embeddings.shape[0])

    def __getitem__(self, frames: slice) -> "SpeechFeatures":
        return SpeechFeatures(
            self.embeddings[frames], self.loudness_db[frames], self.mel_db[frames]
        )

    @property
    def dim(self) -> int:
        """D, the channels of an embedding."""
        return int(self.embeddings.shape[1])


def concatenate(features: Sequence[SpeechFeatures]) -> SpeechFeatures:
    """Join features one after the other. Raises ValueError on an empty sequence."""
    if not features:
        raise ValueError("nothing to concatenate: an empty sequence has no embedding size")
    # no frames at all fit to any bands
    filled = [f for f in features if len(f)] or features[:1]
    return SpeechFeatures(
        np.concatenate([f.embeddings for f in filled]),
        np.concatenate([f.loudness_db for f in filled]),
        np.concatenate([f.mel_db for f in filled]),
    )


def frame_count(samples: int) -> int:
    """Frames that ``samples`` of voice touch: the last one may be part silence."""
    return -(-samples // SAMPLES_PER_FRAME)


def loudness_db(wave: FloatArray) -> FloatArray:
    """RMS level in dBFS [T] of every frame that ``wave`` [N] touches, the last one zero-padded."""
    frames = frame_count(len(wave))
    padded = np.zeros(frames * SAMPLES_PER_FRAME, np.float64)
    padded[: len(wave)] = wave
    power = np.mean(padded.reshape(frames, SAMPLES_PER_FRAME) ** 2, axis=1)
    level = 10.0 * np.log10(np.maximum(power, 10.0 ** (LOUDNESS_FLOOR_DB / 10.0)))
    return np.asarray(level, np.float32)
