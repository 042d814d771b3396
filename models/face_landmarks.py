"""Faces in a picture as MediaPipe's 478-point mesh, behind one detector interface."""

import atexit
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from models.errors import MissingWeightsError
from models.shapes import LANDMARKS, FloatArray, Image

# Below a sixth of the picture the detector's own 128-pixel view of it misses faces.
_TILE_SHARES = (0.5, 0.25)


@dataclass(frozen=True, slots=True)
class FaceLandmarks:
    """One face. ``points`` [L, 3]: x to the right, y down, z away from the camera; pixels."""

    points: FloatArray

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of the mesh in pixels."""
        low, high = self.points[:, :2].min(0), self.points[:, :2].max(0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])

    @property
    def height_px(self) -> float:
        """From the top of the forehead to the chin."""
        return float(np.linalg.norm(self.points[10] - self.points[152]))


class FaceDetector(Protocol):
    """Finds every face of a picture."""

    def detect(self, rgb: Image) -> list[FaceLandmarks]:
        """All faces in [H, W, 3] RGB, the largest first; an empty list when there is none."""
        ...


class MediaPipeDetector:
    """MediaPipe's FaceLandmarker (Apache-2.0) in image mode, which does not smooth over time.

    ``search_tiles`` looks again in overlapping parts of the picture when the whole shows no face:
    right for photographs of unknown origin, a waste for video frames.
    Raises MissingWeightsError when the task file is not there.
    """

    def __init__(
        self,
        task: Path,
        *,
        max_faces: int = 5,
        search_tiles: bool = False,
        min_confidence: float = 0.5,
    ) -> None:
        if not task.is_file():
            raise MissingWeightsError(
                f"the face landmark model {task} is missing; it belongs to the repository "
                "(weights/face_landmarker.task)"
            )
        self._landmarker = _landmarker(task.resolve(), max_faces, min_confidence)
        self._search_tiles = search_tiles

    def close(self) -> None:
        """Nothing to free: the process keeps its models (see ``_landmarker``)."""

    def detect(self, rgb: Image) -> list[FaceLandmarks]:
        """See FaceDetector. Raises ValueError when ``rgb`` is not uint8 [H, W, 3]."""
        if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
            raise ValueError(f"a picture is uint8 [H, W, 3], not {rgb.dtype} {rgb.shape}")
        faces = self._detect_in(rgb)
        if not faces and self._search_tiles:
            for share in _TILE_SHARES:
                faces = self._detect_in_tiles(rgb, share)
                if faces:
                    break
        return sorted(faces, key=lambda face: -face.height_px)

    def _detect_in(self, rgb: Image) -> list[FaceLandmarks]:
        import mediapipe

        height, width = rgb.shape[:2]
        picture = mediapipe.Image(
            image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(rgb)
        )
        # MediaPipe's z has the unit of its x: shares of the picture's width
        unit = np.array([width, height, width], np.float32)
        return [
            FaceLandmarks(np.array([(p.x, p.y, p.z) for p in mesh], np.float32) * unit)
            for mesh in self._landmarker.detect(picture).face_landmarks
            if len(mesh) == LANDMARKS
        ]

    def _detect_in_tiles(self, rgb: Image, share: float) -> list[FaceLandmarks]:
        faces: list[FaceLandmarks] = []
        for left, top, tile in _tiles(rgb, share):
            for face in self._detect_in(tile):
                points = face.points + np.array([left, top, 0], np.float32)
                if not any(_same_face(points, other.points) for other in faces):
                    faces.append(FaceLandmarks(points))
        return faces


@functools.cache
def _landmarker(task: Path, max_faces: int, min_confidence: float) -> Any:
    """MediaPipe's model, one per process and setting, never freed.

    Its finaliser waits for a thread of its own: the garbage collector can run it inside another
    model's call, which then never returns, and at interpreter exit that thread is gone.
    """
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_buffer=task.read_bytes()),
        num_faces=max_faces,
        min_face_detection_confidence=min_confidence,
        running_mode=vision.RunningMode.IMAGE,
    )
    landmarker = vision.FaceLandmarker.create_from_options(options)
    atexit.register(vars(landmarker).update, _handle=None)
    return landmarker


def _tiles(rgb: Image, share: float) -> Iterator[tuple[int, int, Image]]:
    """(left, top, pixels) of tiles of ``share`` of the picture's sides, overlapping by half."""
    height, width = rgb.shape[:2]
    tile_h, tile_w = int(height * share), int(width * share)
    if min(tile_h, tile_w) < 48:
        return
    for top in range(0, height - tile_h + 1, max(tile_h // 2, 1)):
        for left in range(0, width - tile_w + 1, max(tile_w // 2, 1)):
            yield left, top, rgb[top : top + tile_h, left : left + tile_w]


def _same_face(points: FloatArray, other: FloatArray) -> bool:
    apart = np.linalg.norm(points[:, :2].mean(0) - other[:, :2].mean(0))
    return bool(apart < 0.5 * np.ptp(points[:, 1]))
