"""What the mouth does in received pictures."""

from collections.abc import Iterable
from functools import cache

import numpy as np

from models.face_landmarks import MediaPipeDetector
from models.shapes import AnyArray, Image, PcmArray
from models.timing import FRAME_MS
from server.config.settings import ROOT
from server.voice.media_time import SAMPLES_PER_PICTURE

MAX_LAG_FRAMES = 8
_LEAST_PICTURES = 100
_UPPER_LIP, _LOWER_LIP = 13, 14  # MediaPipe's inner lips


def lip_gaps(pictures: Iterable[tuple[int, Image]]) -> dict[int, float]:
    """(media ms, [H, W, 3]) -> distance of the inner lips over the face's height, by media ms;
    pictures without a face are left out."""
    found = {ms: _detector().detect(rgb) for ms, rgb in pictures}
    return {
        ms: float(
            np.linalg.norm(faces[0].points[_UPPER_LIP] - faces[0].points[_LOWER_LIP])
            / faces[0].height_px
        )
        for ms, faces in found.items()
        if faces
    }


def mouth_lag_ms(gaps: dict[int, float], sound: PcmArray) -> float | None:
    """Lag in ms at which the lip gap follows the loudness best; positive: the mouth is late.

    ``sound`` [n] at 48 kHz from media time 0. The lag between two frames comes from a parabola
    through the best score and its neighbours. None when too few pictures show a face.
    """
    if len(gaps) < _LEAST_PICTURES:
        return None
    whole = len(sound) // SAMPLES_PER_PICTURE * SAMPLES_PER_PICTURE
    frames = sound[:whole].reshape(-1, SAMPLES_PER_PICTURE).astype(np.float64)
    loudness = np.log1p(np.sqrt(np.mean(frames**2, axis=1)))
    lags = range(-MAX_LAG_FRAMES, MAX_LAG_FRAMES + 1)
    scores = np.array([_score(gaps, loudness, lag) for lag in lags])
    best = int(np.clip(np.argmax(scores), 1, len(scores) - 2))
    before, at, after = scores[best - 1 : best + 2]
    curve = before - 2 * at + after
    between = 0.5 * (before - after) / curve if curve < 0 else 0.0
    return float((best + np.clip(between, -1, 1) - MAX_LAG_FRAMES) * FRAME_MS)


def _score(gaps: dict[int, float], loudness: AnyArray, lag: int) -> float:
    pairs = [
        (gap, loudness[ms // FRAME_MS - lag])
        for ms, gap in gaps.items()
        if 0 <= ms // FRAME_MS - lag < len(loudness)
    ]
    return float(np.corrcoef(np.array(pairs).T)[0, 1])


@cache
def _detector() -> MediaPipeDetector:
    return MediaPipeDetector(ROOT / "weights" / "face_landmarker.task", max_faces=1)
