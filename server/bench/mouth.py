"""How far the mouth in received pictures is behind the received sound."""

import numpy as np

from models.shapes import AnyArray, Image, PcmArray
from models.timing import FRAME_MS

MAX_LAG_FRAMES = 8


def mouth_lag_ms(pictures: list[tuple[int, Image]], sound: PcmArray) -> float | None:
    """Lag in ms at which the lip gap follows the loudness best; positive: the mouth is late.

    ``pictures``: (media ms, [H, W, 3]); ``sound`` [n] at 48 kHz from media time 0. None when the
    pictures show no face, or too little of one to tell.
    """
    gaps = {ms // FRAME_MS: gap for ms, rgb in pictures if (gap := _lip_gap(rgb)) is not None}
    frames = sound[: len(sound) // 1920 * 1920].reshape(-1, 1920).astype(np.float64)
    loudness = np.log1p(np.sqrt(np.mean(frames**2, axis=1)))
    if len(gaps) < len(pictures) // 2 or len(gaps) < 100:
        return None
    scores = [_score(gaps, loudness, lag) for lag in range(-MAX_LAG_FRAMES, MAX_LAG_FRAMES + 1)]
    return float((int(np.argmax(scores)) - MAX_LAG_FRAMES) * FRAME_MS)


def _score(gaps: dict[int, float], loudness: AnyArray, lag: int) -> float:
    pairs = [
        (gap, loudness[frame - lag])
        for frame, gap in gaps.items()
        if 0 <= frame - lag < len(loudness)
    ]
    return float(np.corrcoef(np.array(pairs).T)[0, 1])


_detectors: list[object] = []


def _lip_gap(rgb: Image) -> float | None:
    """Inner lips' distance over the face's height; None without a face."""
    from models.face_landmarks import MediaPipeDetector
    from server.config.settings import ROOT

    if not _detectors:
        _detectors.append(MediaPipeDetector(ROOT / "weights" / "face_landmarker.task", max_faces=1))
    detector = _detectors[0]
    assert isinstance(detector, MediaPipeDetector)
    faces = detector.detect(rgb)
    if not faces:
        return None
    points = faces[0].points
    return float(np.linalg.norm(points[13] - points[14]) / faces[0].height_px)
