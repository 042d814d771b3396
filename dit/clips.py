"""Talking clips as the trainer sees them: a face mesh per 25 FPS frame, the sound beside it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.errors import NoFaceError, SoundError, VisavisError
from models.face_landmarks import FaceDetector, FaceLandmarks
from models.shapes import LANDMARKS, FloatArray, Image
from models.timing import FPS, SAMPLE_RATE_HZ, SAMPLES_PER_FRAME

CLIP_SUFFIXES = (".mp4", ".mpg", ".mov", ".mkv", ".webm", ".avi")


class ClipError(VisavisError):
    """A clip that cannot be used for training: not a video, no picture, too short."""

    code = "bad_clip"


@dataclass(frozen=True, slots=True)
class Track:
    """A clip's face and voice on the common clock.

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


def list_clips(folder: Path) -> list[Path]:
    """Clips in ``folder``, sorted by name. Raises ClipError when there are none."""
    clips = sorted(p for p in folder.glob("*") if p.suffix.lower() in CLIP_SUFFIXES)
    if not clips:
        raise ClipError(f"no clips in {folder}; accepted: {', '.join(CLIP_SUFFIXES)}")
    return clips


def track_clip(path: Path, detector: FaceDetector) -> Track:
    """Follow the largest face through a clip.

    Raises ClipError when the file is no video, NoFaceError when a fifth of its frames or more show
    no face, SoundError when it has no sound.
    """
    meshes: list[FloatArray | None] = []
    previous: FloatArray | None = None
    for picture in read_pictures(path):
        face = _same_person(detector.detect(picture), previous)
        meshes.append(None if face is None else face.points)
        previous = previous if face is None else face.points
    found = np.array([mesh is not None for mesh in meshes])
    if found.mean() <= 0.8:
        raise NoFaceError(f"{path.name}: {int((~found).sum())} of {len(found)} frames show no face")
    wave = read_clip_sound(path)
    samples = len(meshes) * SAMPLES_PER_FRAME
    wave = np.pad(wave[:samples], (0, max(0, samples - len(wave))))
    return Track(_filled(meshes, found), found, wave)


def read_pictures(path: Path) -> Iterator[Image]:
    """Pictures [H, W, 3] at 25 FPS: for each tick the clip's frame nearest in time."""
    import av

    try:
        container = av.open(str(path))
    except (av.FFmpegError, OSError) as error:
        raise ClipError(f"{path.name} is not a video that can be read: {error}") from error
    with container:
        if not container.streams.video:
            raise ClipError(f"{path.name} has no picture")
        stream = container.streams.video[0]
        step_s = float(1 / (stream.average_rate or FPS))
        start_s: float | None = None
        tick, previous = 0, None
        for index, frame in enumerate(container.decode(stream)):
            at_s = frame.time if frame.time is not None else index * step_s
            start_s = at_s if start_s is None else start_s
            # this frame is on the screen until the next one: half a step decides which is nearest
            while tick / FPS < at_s - start_s - step_s / 2 and previous is not None:
                yield previous
                tick += 1
            previous = frame.to_ndarray(format="rgb24")
        if previous is None or start_s is None:
            raise ClipError(f"{path.name} has no frame that can be decoded")
        end_s = at_s - start_s + step_s / 2
        while tick / FPS < end_s:
            yield previous
            tick += 1


def read_clip_sound(path: Path) -> FloatArray:
    """Sound [N] at 16 kHz mono whose first sample belongs to the first picture."""
    import av

    with av.open(str(path)) as container:
        if not container.streams.audio:
            raise SoundError(f"{path.name} has no sound")
        video_start_s = _start_s(container.streams.video[0])
        stream = container.streams.audio[0]
        resampler = av.AudioResampler("flt", "mono", SAMPLE_RATE_HZ)
        chunks: list[FloatArray] = []
        first_s: float | None = None
        for frame in container.decode(stream):
            first_s = frame.time if first_s is None else first_s
            chunks += [part.to_ndarray()[0] for part in resampler.resample(frame)]
        chunks += [part.to_ndarray()[0] for part in resampler.resample(None)]
    if not chunks:
        raise SoundError(f"{path.name} has no sound that can be decoded")
    late = round(((first_s or 0.0) - video_start_s) * SAMPLE_RATE_HZ)
    wave: FloatArray = np.concatenate(chunks).astype(np.float32)
    return np.pad(wave, (late, 0)) if late > 0 else wave[-late:]


def sound_lag_frames(gap: FloatArray, loudness_db: FloatArray, most: int = 6) -> tuple[int, float]:
    """By how many frames the sound comes late (positive) in a clip, and the correlation there.

    gap, loudness_db: [T]. Lips open a little before the sound they make, so an honest clip answers
    0 to 2.
    """
    scores = []
    for lag in range(-most, most + 1):
        mouth = gap[max(0, -lag) : len(gap) - max(0, lag)]
        voice = loudness_db[max(0, lag) : len(gap) - max(0, -lag)]
        spread = mouth.std() * voice.std()
        scores.append(float(np.corrcoef(mouth, voice)[0, 1]) if spread > 0 else 0.0)
    best = int(np.argmax(scores))
    return best - most, scores[best]


def _start_s(stream: Any) -> float:
    if stream.start_time is None or stream.time_base is None:
        return 0.0
    return float(stream.start_time * stream.time_base)


def _same_person(faces: list[FaceLandmarks], previous: FloatArray | None) -> FaceLandmarks | None:
    """The face nearest to where it was; the largest one at the start."""
    if not faces:
        return None
    if previous is None:
        return faces[0]
    centre = previous[:, :2].mean(0)
    return min(faces, key=lambda face: float(np.linalg.norm(face.points[:, :2].mean(0) - centre)))


def _filled(meshes: list[FloatArray | None], found: npt.NDArray[np.bool_]) -> FloatArray:
    """[T, L, 3] with frames that were not found interpolated between their neighbours."""
    points = np.zeros((len(meshes), LANDMARKS, 3), np.float32)
    at = np.flatnonzero(found)
    for index in range(len(meshes)):
        after = min(int(np.searchsorted(at, index)), len(at) - 1)
        before = max(0, after - 1) if at[after] > index else after
        left, right = at[before], at[after]
        share = 0.0 if right == left else float(np.clip((index - left) / (right - left), 0, 1))
        first, second = meshes[left], meshes[right]
        assert first is not None
        assert second is not None
        points[index] = (1 - share) * first + share * second
    return points
