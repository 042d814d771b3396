"""MediaPipe's 478-point mesh in the layout of the official 203 landmarks.

The official crop is laid around points that cover jaw, cheeks and brows but no forehead, so the
mesh's forehead is left out. What the official code reads by number is exact: the rings of eyes
and lips, whose corners and middles sit at 0, 6, 12, 18 / 24, 30, 36, 42 / 48, 66 / 90, 102.
The order of the other points (contour, brows, nose, irises) is ours: only their extent counts.
"""

from pathlib import Path
from typing import Self

import numpy as np

from liveportrait.source.faces import AnalysedFace, FaceAnalyser
from models.face_landmarks import FaceDetector, FaceLandmarks, MediaPipeDetector
from models.shapes import FloatArray, Image
from models.weights import WEIGHTS_DIR

TASK = "face_landmarker.task"
FACE_POINTS = 203
# Rings of mesh points: from the corner on the picture's left, along the upper edge first.
_LEFT_EYE = (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7)
_RIGHT_EYE = (362, 398, 384, 385, 386, 387, 388, 466, 263, 249, 390, 373, 374, 380, 381, 382)
_OUTER_LIPS = (
    *(61, 185, 40, 39, 37, 0, 267, 269, 270, 409),
    *(291, 375, 321, 405, 314, 17, 84, 181, 91, 146),
)
_INNER_LIPS = (
    *(78, 191, 80, 81, 82, 13, 312, 311, 310, 415),
    *(308, 324, 318, 402, 317, 14, 87, 178, 88, 95),
)
# Lines: temple to temple by way of the chin; along the brows' upper edge; down the nose.
_CONTOUR = (
    *(127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152),
    *(377, 400, 378, 379, 365, 397, 288, 361, 323, 454, 356),
)
_LEFT_BROW, _RIGHT_BROW = (70, 63, 105, 66, 107), (336, 296, 334, 293, 300)
_NOSE = (168, 6, 197, 195, 5, 4, 98, 97, 2, 326, 327)
_IRISES = (468, 473)
# (line or ring, whether it is a ring, how many of the 203 it fills), in the official order
_PARTS: tuple[tuple[tuple[int, ...], bool, int], ...] = (
    (_LEFT_EYE, True, 24),
    (_RIGHT_EYE, True, 24),
    (_OUTER_LIPS, True, 36),
    (_INNER_LIPS, True, 24),
    (_CONTOUR, False, 37),
    (_LEFT_BROW, False, 20),
    (_RIGHT_BROW, False, 20),
    (_NOSE, False, 16),
    (_IRISES, False, 2),
)
_TRACKED_WITHIN = 1.0  # of the last box's longer side: a face farther off is somebody else


class MediaPipeAnalyser(FaceAnalyser):
    """See FaceAnalyser. Every picture is looked at afresh, also when tracking."""

    name = "mediapipe"

    def __init__(self, detector: FaceDetector, video_detector: FaceDetector | None = None) -> None:
        """``detector`` is for photographs; ``video_detector``, where given, for tracking."""
        self._detector = detector
        self._video_detector = video_detector or detector

    @classmethod
    def load(cls, weights: Path = WEIGHTS_DIR) -> Self:
        """Raises MissingWeightsError."""
        task = weights / TASK
        return cls(MediaPipeDetector(task, search_tiles=True), MediaPipeDetector(task))

    def find(self, image: Image) -> list[AnalysedFace]:
        """See FaceAnalyser."""
        faces = [analysed(face) for face in self._detector.detect(image)]
        return sorted(faces, key=lambda face: -face.area_px)

    def track(self, image: Image, last: AnalysedFace | None) -> AnalysedFace | None:
        """See FaceAnalyser: the face nearest to the last one."""
        faces = [analysed(face) for face in self._video_detector.detect(image)]
        if not faces:
            return None
        if last is None:
            return max(faces, key=lambda face: face.area_px)
        nearest = min(faces, key=lambda face: _apart(face, last))
        left, top, right, bottom = last.box
        near = _apart(nearest, last) <= _TRACKED_WITHIN * max(right - left, bottom - top)
        return nearest if near else None


def analysed(face: FaceLandmarks) -> AnalysedFace:
    """A mesh as an AnalysedFace; its one point set serves both purposes."""
    points = official_points(face.points)
    low, high = points.min(0), points.max(0)
    box = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    return AnalysedFace(points, points, box)


def official_points(mesh: FloatArray) -> FloatArray:
    """A mesh [478, 2 or 3] -> [203, 2] in the order of the official landmark network."""
    parts = [_resampled(mesh[list(line), :2], ring, count) for line, ring, count in _PARTS]
    return np.concatenate(parts)


def _resampled(line: FloatArray, ring: bool, count: int) -> FloatArray:
    """``count`` points at equal steps of the point number; a ring's first point follows its last.

    Steps of the number, not of the length, keep corners and middles of the rings in place.
    """
    if ring:
        line = np.concatenate([line, line[:1]])
    at = np.linspace(0, len(line) - 1, count, endpoint=not ring)
    low = np.minimum(at.astype(np.int64), len(line) - 2)
    share = (at - low)[:, None]
    return np.asarray(line[low] * (1 - share) + line[low + 1] * share, np.float32)


def _apart(face: AnalysedFace, other: AnalysedFace) -> float:
    return float(np.linalg.norm(face.ratio_points.mean(0) - other.ratio_points.mean(0)))


assert sum(count for _, _, count in _PARTS) == FACE_POINTS
