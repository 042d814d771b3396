"""One clip through all stages: scenes, offset, filters, motion, speech features.

The same function runs in this process, in a pool of processes and on Ray; what it finds is written
below ``OUT`` and kept (``cache.py``):

    scenes/CLIP-000.npz      faces as they were tracked, and scenes/CLIP.json
    tracks/CLIP-000.npz      kept stretches: face mesh and the sound that belongs to it
    stretches/CLIP.tar       kept stretches as shards, and stretches/CLIP.json, the clip's report
"""

import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from pathlib import Path

from dit.preparation.cache import clip_key, folder_key, read_note, write_note, write_whole
from dit.preparation.motion import MotionReader, load_motion_reader
from dit.preparation.report import ClipReport
from dit.preparation.settings import PrepareSettings, digest_of
from dit.preparation.shards import add_members
from dit.preparation.stretch import judge, shard_of
from dit.preparation.tracks import Scene, Track, track_scenes
from dit.preparation.video import ClipFile, probe, read_clip_sound, read_pictures
from dit.preparation.voice_to_mouth import VoiceToMouth
from models.device import DevicePolicy
from models.errors import SoundError, VisavisError
from models.face_landmarks import FaceDetector, MediaPipeDetector
from models.held_out import Splits
from models.shapes import Image
from models.speech_encoder import SpeechEncoder
from models.timing import FPS


@dataclass(frozen=True, slots=True)
class Job:
    """What every clip of a run has in common."""

    out: Path
    settings: PrepareSettings
    splits: Splits
    weights: Path
    encoder: Path | None  # None: stop before the speech features
    seeded: bool = False  # the engine's networks with made-up weights
    threads: int = 1  # of each network in each process


class Tools:
    """The models of a job, loaded once for every process.

    Raises MissingWeightsError or WeightsError without their files, ConfigError for a motion reader
    that does not exist.
    """

    def __init__(self, job: Job) -> None:
        import cv2
        import torch

        torch.set_num_threads(job.threads)
        cv2.setNumThreads(job.threads)
        policy = replace(DevicePolicy.for_this_machine(), threads=job.threads)
        self.detector: FaceDetector = MediaPipeDetector(job.weights / "face_landmarker.task")
        self.voice_to_mouth = VoiceToMouth.load(job.weights / "voice_to_mouth")
        self.reader: MotionReader = load_motion_reader(
            job.settings.motion, job.weights, seeded=job.seeded
        )
        self.encoder = SpeechEncoder.load(job.encoder, policy) if job.encoder else None
        keys = [folder_key(job.weights / "voice_to_mouth")]
        keys += [folder_key(job.encoder)] if job.encoder else []
        self.key = digest_of(job.settings, dict(job.splits.by_prefix), job.seeded, keys)


@cache
def _tools(job_id: str) -> Tools:
    return Tools(_jobs[job_id])


_jobs: dict[str, Job] = {}


def tools_of(job: Job) -> Tools:
    """This process's models for a job."""
    job_id = digest_of(job)
    _jobs[job_id] = job
    return _tools(job_id)


def prepare_clip(job: Job, clip: ClipFile) -> ClipReport:
    """Every stage that has not been done yet. What is wrong with the clip is in the report."""
    tools = tools_of(job)
    try:
        key = digest_of(clip_key(clip.path), job.settings.scenes)
        note_path = job.out / "stretches" / f"{clip.name}.json"
        note = read_note(note_path, digest_of(key, tools.key))
        if note is not None:
            return ClipReport.from_dict(note)
        report = _prepare(job, tools, clip, key)
    except Exception as error:  # the one place where a clip's fault must not stop the others
        return ClipReport(clip.name, clip.source, 0.0, 0.0, error=_told(error))
    write_note(note_path, digest_of(key, tools.key), report.as_dict())
    return report


def _prepare(job: Job, tools: Tools, clip: ClipFile, key: str) -> ClipReport:
    info = probe(clip.path)
    if not info.has_sound:
        raise SoundError(f"{clip.path.name} has no sound")
    seconds, scenes = _scenes(job, tools, clip, key)
    wave = read_clip_sound(clip.path)
    # by the path itself: a name has lost its dots
    split, reports = job.splits.split_of(clip.source.replace("/", "__")), []
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in scenes:
            scene, name = Scene.load(path), path.stem
            report, stretch = judge(scene, wave, name, split, job.settings, tools.voice_to_mouth)
            reports.append(report)
            if stretch is None:
                continue
            _save_whole(stretch.track, job.out / "tracks" / f"{name}.npz")
            if tools.encoder is not None:
                pictures = _Pictures(clip.path, stretch.first_frame, stretch.frames)
                made = (stretch, report, clip.source, info.fps)
                add_members(tar, shard_of(*made, tools.reader, pictures, tools.encoder))
    write_whole(job.out / "stretches" / f"{clip.name}.tar", buffer.getvalue())
    return ClipReport(clip.name, clip.source, seconds, info.fps, tuple(reports))


@dataclass(frozen=True, slots=True)
class _Pictures:
    """The pictures of a stretch, decoded anew at every call."""

    path: Path
    first_frame: int
    frames: int

    def __call__(self) -> Iterator[Image]:
        return islice(read_pictures(self.path, self.first_frame), self.frames)


def _scenes(job: Job, tools: Tools, clip: ClipFile, key: str) -> tuple[float, list[Path]]:
    """The clip's length in seconds and its scenes' files, tracked now or before."""
    folder = job.out / "scenes"
    note = read_note(folder / f"{clip.name}.json", key)
    if note is None:
        paths: list[Path] = []
        frames = 0

        def counted() -> Iterator[Image]:
            nonlocal frames
            for picture in read_pictures(clip.path):
                frames += 1
                yield picture

        for scene in track_scenes(counted(), tools.detector, job.settings.scenes):
            paths.append(folder / f"{clip.name}-{len(paths):03d}.npz")
            scene.save(paths[-1])
        note = {"seconds": frames / FPS, "scenes": [path.name for path in paths]}
        write_note(folder / f"{clip.name}.json", key, note)
    return note["seconds"], [folder / name for name in note["scenes"]]


def _save_whole(track: Track, path: Path) -> None:
    partial = path.with_name(f"{path.stem}.partial.npz")
    track.save(partial)
    partial.replace(path)


def _told(error: Exception) -> str:
    """An error in a line: our own say what was wrong; others also of what kind they are."""
    return str(error) if isinstance(error, VisavisError) else f"{type(error).__name__}: {error}"
