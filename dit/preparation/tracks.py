"""One face followed through pictures: a scene is a stretch in which it is seen without a break."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dit.preparation.scenes import CutDetector
from dit.preparation.settings import SceneSettings
from models.face_landmarks import FaceDetector, FaceLandmarks
from models.shapes import LANDMARKS, FloatArray, Image
from models.timing import FPS

FACE_VIEW_PX = 128  # height to which a face is scaled before its sharpness is measured
THUMBNAIL_PX = 96
_THUMBNAIL_FRAME = FPS // 2


@dataclass(frozen=True, slots=True)
class Track:
    """A stretch's face and voice on the common clock, in step.

    Frame f shows ``points[f]`` and covers the samples ``[640 f, 640 (f + 1))`` of ``wave``.
    """

    points: FloatArray  # [T, L, 3] pixels; frames without a face are interpolated
    found: npt.NDArray[np.bool_]  # [T], False where the face was not found
    wave: FloatArray  # [N = 640 T]

    def save(self, path: Path) -> None:
        """Write as .npz; the sound as 16-bit integers."""
        pcm = np.round(np.clip(self.wave, -1, 1) * 32767).astype(np.int16)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, points=self.points, found=self.found, wave=pcm)

    @classmethod
    def load(cls, path: Path) -> "Track":
        """Read what ``save`` wrote."""
        with np.load(path) as stored:
            return cls(stored["points"], stored["found"], stored["wave"].astype(np.float32) / 32767)


@dataclass(frozen=True, slots=True)
class Scene:
    """One face without a break: T frames of a clip, from ``start_frame`` on at 25 FPS."""

    start_frame: int
    points: FloatArray  # [T, L, 3] pixels; frames without a face are interpolated
    found: npt.NDArray[np.bool_]  # [T]
    sharpness: FloatArray  # [T] variance of the face's Laplacian; 0 where it was not found
    rivals: FloatArray  # [T] height of the largest other face over this one's
    thumbnail: npt.NDArray[np.uint8]  # [n] JPEG of the face

    def __len__(self) -> int:
        return len(self.found)

    @property
    def frames(self) -> range:
        """Its frame numbers in the clip."""
        return range(self.start_frame, self.start_frame + len(self))

    def save(self, path: Path) -> None:
        """Write as .npz."""
        path.parent.mkdir(parents=True, exist_ok=True)
        values = {name: getattr(self, name) for name in self.__slots__}
        np.savez_compressed(path, **values)

    @classmethod
    def load(cls, path: Path) -> "Scene":
        """Read what ``save`` wrote."""
        with np.load(path) as stored:
            values = {name: stored[name] for name in cls.__slots__}
        return cls(**{**values, "start_frame": int(values["start_frame"])})


def track_scenes(
    pictures: Iterable[Image], detector: FaceDetector, settings: SceneSettings
) -> Iterator[Scene]:
    """Follow the largest face until a cut, until it is lost or jumps, or for ``longest_s``.

    Then the largest face that is seen next. Holds one scene in memory.
    """
    cuts = CutDetector(settings.cut_threshold)
    scene: _OpenScene | None = None
    for frame, picture in enumerate(pictures):
        is_cut = cuts.is_cut(picture)
        faces = detector.detect(picture)
        if scene is not None:
            face = None if is_cut else scene.same_face(faces, settings.most_jump)
            lost = face is None and scene.missing >= settings.most_gap_frames
            if is_cut or lost or len(scene.meshes) >= settings.longest_s * FPS:
                yield scene.closed()
                scene = None
            else:
                scene.add(picture, face, faces)
                continue
        if faces:
            scene = _OpenScene(frame)
            scene.add(picture, faces[0], faces)
    if scene is not None:
        yield scene.closed()


@dataclass
class _OpenScene:
    """A scene that is still going on."""

    start_frame: int
    meshes: list[FloatArray | None] = field(default_factory=list)
    sharpness: list[float] = field(default_factory=list)
    rivals: list[float] = field(default_factory=list)
    thumbnail: npt.NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))
    last: FaceLandmarks | None = None
    missing: int = 0  # frames since the face was last found

    def same_face(self, faces: list[FaceLandmarks], most_jump: float) -> FaceLandmarks | None:
        """The face nearest to where it was, unless it is too far off to be the same."""
        if not faces or self.last is None:
            return None
        centre, height = _centre(self.last), self.last.height_px
        nearest = min(faces, key=lambda face: float(np.linalg.norm(_centre(face) - centre)))
        apart = float(np.linalg.norm(_centre(nearest) - centre))
        grown = abs(nearest.height_px - height)
        reach = most_jump * height * (1 + self.missing)  # it may have moved on while unseen
        return nearest if max(apart, grown) <= reach else None

    def add(self, picture: Image, face: FaceLandmarks | None, faces: list[FaceLandmarks]) -> None:
        """The next frame, and the face that was taken for the same one."""
        self.meshes.append(None if face is None else face.points)
        others = [other.height_px for other in faces if other is not face]
        own = face.height_px if face else self.last.height_px if self.last else 1.0
        self.rivals.append(max(others, default=0.0) / max(own, 1.0) if face else 0.0)
        self.sharpness.append(_sharpness(picture, face) if face else 0.0)
        self.missing = 0 if face else self.missing + 1
        if face is not None:
            self.last = face
            if not len(self.thumbnail) or len(self.meshes) == _THUMBNAIL_FRAME:
                self.thumbnail = _thumbnail(picture, face)

    def closed(self) -> Scene:
        """Without the frames at its end in which the face was gone."""
        count = len(self.meshes) - self.missing
        found = np.array([mesh is not None for mesh in self.meshes[:count]])
        return Scene(
            self.start_frame,
            _filled(self.meshes[:count], found),
            found,
            np.array(self.sharpness[:count], np.float32),
            np.array(self.rivals[:count], np.float32),
            self.thumbnail,
        )


def _centre(face: FaceLandmarks) -> FloatArray:
    centre: FloatArray = face.points[:, :2].mean(0)
    return centre


def _cropped(picture: Image, face: FaceLandmarks, margin: float) -> Image:
    """The face's box widened by ``margin`` of its height on all sides, within the picture."""
    left, top, right, bottom = face.box
    more = margin * (bottom - top)
    height, width = picture.shape[:2]
    rows = slice(int(np.clip(top - more, 0, height - 1)), int(np.clip(bottom + more, 1, height)))
    columns = slice(int(np.clip(left - more, 0, width - 1)), int(np.clip(right + more, 1, width)))
    return picture[rows, columns]


def _sharpness(picture: Image, face: FaceLandmarks) -> float:
    import cv2

    crop = _cropped(picture, face, 0.0)
    if min(crop.shape[:2]) < 2:
        return 0.0
    share = FACE_VIEW_PX / crop.shape[0]
    size = (max(2, round(crop.shape[1] * share)), FACE_VIEW_PX)
    way = cv2.INTER_AREA if share < 1 else cv2.INTER_LINEAR
    grey = cv2.cvtColor(cv2.resize(crop, size, interpolation=way), cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_32F).var())


def _thumbnail(picture: Image, face: FaceLandmarks) -> npt.NDArray[np.uint8]:
    import cv2

    crop = _cropped(picture, face, 0.25)
    share = THUMBNAIL_PX / max(crop.shape[:2])
    size = (max(1, round(crop.shape[1] * share)), max(1, round(crop.shape[0] * share)))
    small = cv2.resize(crop, size, interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".jpg", np.ascontiguousarray(small[..., ::-1]))
    return np.asarray(data, np.uint8).reshape(-1)


def _filled(meshes: list[FloatArray | None], found: npt.NDArray[np.bool_]) -> FloatArray:
    """[T, L, 3] with frames that were not found interpolated between their neighbours."""
    at = np.flatnonzero(found)
    seen = np.stack([mesh for mesh in meshes if mesh is not None]).reshape(len(at), -1)
    frames = np.arange(len(found))
    after = np.clip(np.searchsorted(at, frames), 1 if len(at) > 1 else 0, len(at) - 1)
    before = np.maximum(after - 1, 0)
    length = np.maximum(at[after] - at[before], 1)
    share = np.clip((frames - at[before]) / length, 0, 1)[:, None]
    points = (1 - share) * seen[before] + share * seen[after]
    return np.asarray(points.reshape(-1, LANDMARKS, 3), np.float32)
