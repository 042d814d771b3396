"""Real clips as the yardstick sees them: voice, lips, lids and head of one person."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dit.preparation.tracks import Track
from models.errors import ConfigError
from models.face_keypoints import (
    eye_openness,
    landmarks_to_motion,
    lip_gap,
    lip_width,
    relative_to_rest,
)
from models.held_out import TALKING_CLIPS, Split, Splits
from models.motion import Motion
from models.shapes import FloatArray
from models.speech import loudness_db

OPEN_EYES_QUANTILE = 0.8  # how far a person's eyes stand open: the upper fifth of the frames


@dataclass(frozen=True, slots=True)
class Recording:
    """One real clip of T frames."""

    name: str
    wave: FloatArray  # [640 T]
    loudness_db: FloatArray  # [T]
    gap: FloatArray  # [T] inner-lip gap over the outer-eye distance
    width: FloatArray  # [T] mouth width over the outer-eye distance
    lids_shut: FloatArray  # [T] 0 as open as usual, 1 shut
    motion: Motion  # relative to the person's rest


def read_recordings(data: Path, split: Split, splits: Splits = TALKING_CLIPS) -> list[Recording]:
    """The clips of one split, from the face tracks that ``prepare`` left in ``data/tracks``."""
    paths = sorted((data / "tracks").glob("*.npz"))
    return [_recording(path) for path in paths if splits.split_of(path.stem) == split]


def read_evaluated(data: Path, split: Split, splits: Splits = TALKING_CLIPS) -> list[Recording]:
    """As ``read_recordings``; raises ConfigError when there are none."""
    recordings = read_recordings(data, split, splits)
    if not recordings:
        raise ConfigError(
            f"no clips of split {split!r} in {data / 'tracks'}; `python -m dit prepare` makes "
            "tracks, and the beginning of a clip's name decides its split (models/held_out.py)"
        )
    return recordings


def _recording(path: Path) -> Recording:
    track = Track.load(path)
    frames = len(track.points)
    openness = eye_openness(track.points)
    usual = float(np.quantile(openness, OPEN_EYES_QUANTILE))
    return Recording(
        path.stem,
        track.wave,
        loudness_db(track.wave)[:frames],
        lip_gap(track.points),
        lip_width(track.points),
        np.clip(1.0 - openness / max(usual, 1e-6), 0.0, 1.0).astype(np.float32),
        relative_to_rest(landmarks_to_motion(track.points)[0]),
    )
