"""A face followed through a video, and the one box that a driving video is cropped to.

Source: ``crop_driving_video`` and ``crop_source_video`` in ``src/utils/cropper.py`` of the official
implementation. There, frames before the first face are dropped, and a face is never searched for
again; here they take the first face's points, and a lost face's last ones, so that sound and
pictures stay together.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from liveportrait.pipeline import in_parallel
from liveportrait.source.crop import (
    DRIVING,
    HUMAN_SOURCE,
    NETWORK_PX,
    CropPreset,
    FaceCrop,
    crop_image,
    cut,
    similarity,
)
from liveportrait.source.crop_box import face_box
from liveportrait.source.faces import AnalysedFace, FaceAnalyser, the_face
from models.errors import NoFaceError
from models.shapes import AnyArray, FloatArray, Image

_SEARCH_EVERY = 25  # frames without a face after which one is searched for thoroughly again


@dataclass(frozen=True, slots=True)
class FaceTrack:
    """One face in T frames. ``points`` [T, 203, 2], pixels; ``seen`` [T]: found in that frame,
    or taken over from a neighbour."""

    points: FloatArray
    seen: AnyArray

    def __len__(self) -> int:
        return len(self.points)


def track_faces(frames: Iterable[Image], analyser: FaceAnalyser, where: str) -> FaceTrack:
    """The largest face of the first frame that has one, followed to the end.

    ``where`` names the video in errors. Raises NoFaceError when no frame shows a face.
    """
    faces: list[AnalysedFace | None] = []
    last: AnalysedFace | None = None
    lost = 0
    for frame in frames:
        face = analyser.track(frame, last)
        if face is None and lost % _SEARCH_EVERY == 0:
            found = analyser.find(frame)
            face = the_face(found, where) if found else None
        lost = lost + 1 if face is None else 0
        last = face or last
        faces.append(face)
    seen = np.array([face is not None for face in faces], bool)
    if not seen.any():
        raise NoFaceError(f"no face was found in any of the {len(faces)} frames of {where}")
    first = int(np.argmax(seen))
    latest = np.maximum.accumulate(np.where(seen, np.arange(len(seen)), first))
    points = [face.ratio_points for index in latest if (face := faces[index]) is not None]
    return FaceTrack(np.stack(points), seen)


def crop_needed(size: tuple[int, int]) -> bool:
    """Whether a driving video of (width, height) is cropped unasked: when it is not square."""
    return size[0] != size[1]


def driving_box(points: AnyArray, preset: CropPreset = DRIVING) -> AnyArray:
    """The mean box of a face's points [T, n, 2]: left, top, right, bottom, float64 [4]."""
    corners = [
        face_box(frame, scale=preset.scale, vy_ratio=preset.vy_ratio).corners() for frame in points
    ]
    boxes = np.stack([np.concatenate([corner[0], corner[2]]) for corner in corners])
    mean: AnyArray = boxes.mean(0).astype(np.float64)
    return mean


def crop_to_box(
    image: Image,
    box: AnyArray,
    landmarks: AnyArray | None = None,
    *,
    size_px: int = DRIVING.size_px,
    angle: float | None = None,
) -> FaceCrop:
    """Cut ``box`` [4] (left, top, right, bottom) out of a frame [H, W, 3]; black beyond it.

    ``angle``: radians, clockwise.
    """
    left, top, right, bottom = (float(edge) for edge in box)
    center = np.array([(left + right) / 2, (top + bottom) / 2], np.float32)
    matrix = similarity(center, right - left, size_px, angle)
    return cut(image, matrix, size_px, landmarks)


def driving_input(image: Image) -> Image:
    """A whole driving frame [H, W, 3] as the networks see it [256, 256, 3]."""
    import cv2

    return np.asarray(cv2.resize(image, (NETWORK_PX, NETWORK_PX)), np.uint8)


def crop_source_frames(
    frames: Iterable[Image], track: FaceTrack, preset: CropPreset = HUMAN_SOURCE, workers: int = 2
) -> Iterator[FaceCrop]:
    """Every frame of a source video cut around its own points, by several threads, in order."""

    def crop(pair: tuple[Image, FloatArray]) -> FaceCrop:
        return crop_image(pair[0], pair[1], preset)

    return in_parallel(zip(frames, track.points, strict=True), crop, workers)
