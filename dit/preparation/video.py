"""Clips as files: which there are, what they are, their pictures at 25 FPS and their sound."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dit.preparation.shards import key_of
from models.errors import SoundError, VisavisError
from models.shapes import FloatArray, Image
from models.timing import FPS, SAMPLE_RATE_HZ

CLIP_SUFFIXES = (".mp4", ".mpg", ".mov", ".mkv", ".webm", ".avi")


class ClipError(VisavisError):
    """A clip that cannot be used for training: not a video, no picture, too short."""

    code = "bad_clip"


@dataclass(frozen=True, slots=True)
class ClipFile:
    """One clip of a folder. ``name``, which is fit for a file's, is its path below the folder with
    ``__`` between the parts."""

    path: Path
    source: str  # the path below the folder
    name: str


@dataclass(frozen=True, slots=True)
class ClipInfo:
    """What the file says of itself."""

    width: int
    height: int
    fps: float
    seconds: float  # 0 where it does not say
    has_sound: bool


def find_clips(folder: Path) -> list[ClipFile]:
    """Clips in ``folder`` and the folders in it, sorted. Raises ClipError when there are none."""
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in CLIP_SUFFIXES)
    if not paths:
        raise ClipError(f"no clips in {folder}; accepted: {', '.join(CLIP_SUFFIXES)}")
    clips, taken = [], set[str]()
    for path in paths:
        below = path.relative_to(folder)
        name = key_of("__".join(below.with_suffix("").parts))
        if name.lower() in taken:  # a.mp4 beside a.mov
            name = f"{name}-{zlib.crc32(below.as_posix().encode()):08x}"
        taken.add(name.lower())
        clips.append(ClipFile(path, below.as_posix(), name))
    return clips


def probe(path: Path) -> ClipInfo:
    """What a clip's header says. Raises ClipError for what is no video, or has no picture."""
    with _opened(path) as container:
        stream = _video_stream(container, path)
        seconds = float(container.duration or 0) / 1e6
        fps = float(stream.average_rate or FPS)
        return ClipInfo(stream.width, stream.height, fps, seconds, bool(container.streams.audio))


def read_pictures(path: Path, first_tick: int = 0) -> Iterator[Image]:
    """Upright pictures [H, W, 3] at 25 FPS: for each tick the clip's frame nearest in time.

    ``first_tick``: the first one given; what lies before is skipped where the file allows. Of a
    file that is cut off, what can be read is given. Raises ClipError when the file is no video, or
    damaged before its first picture.
    """
    with _opened(path) as container:
        stream = _video_stream(container, path)
        step_s = float(1 / (stream.average_rate or FPS))
        start_s = _seek(container, stream, first_tick / FPS)
        at_s, tick, previous = 0.0, first_tick, None
        for index, frame in enumerate(_decoded(container, stream)):
            at_s = frame.time if frame.time is not None else index * step_s
            start_s = at_s if start_s is None else start_s
            # this frame is on the screen until the next one: half a step decides which is nearest
            while tick / FPS < at_s - start_s - step_s / 2 and previous is not None:
                yield previous
                tick += 1
            upright = np.rot90(frame.to_ndarray(format="rgb24"), frame.rotation // 90)
            previous = np.ascontiguousarray(upright)
        if previous is None or start_s is None:
            raise ClipError(f"{path.name} has no frame that can be decoded")
        end_s = at_s - start_s + step_s / 2
        while tick / FPS < end_s:
            yield previous
            tick += 1


def read_clip_sound(path: Path) -> FloatArray:
    """Sound [N] at 16 kHz mono whose first sample belongs to the first picture.

    Raises ClipError when the file is no video, SoundError when it has no sound.
    """
    import av

    with _opened(path) as container:
        if not container.streams.audio:
            raise SoundError(f"{path.name} has no sound")
        video_start_s = _start_s(_video_stream(container, path))
        stream = container.streams.audio[0]
        resampler = av.AudioResampler("flt", "mono", SAMPLE_RATE_HZ)
        chunks: list[FloatArray] = []
        first_s: float | None = None
        for frame in _decoded(container, stream):
            first_s = frame.time if first_s is None else first_s
            chunks += [part.to_ndarray()[0] for part in resampler.resample(frame)]
        chunks += [part.to_ndarray()[0] for part in resampler.resample(None)] if chunks else []
    if not chunks:
        raise SoundError(f"{path.name} has no sound that can be decoded")
    late = round(((first_s or 0.0) - video_start_s) * SAMPLE_RATE_HZ)
    wave: FloatArray = np.concatenate(chunks).astype(np.float32)
    return np.pad(wave, (late, 0)) if late > 0 else wave[-late:]


def _opened(path: Path) -> Any:
    import av

    try:
        return av.open(str(path))
    except (av.FFmpegError, OSError) as error:
        why = error.strerror or type(error).__name__
        raise ClipError(f"{path.name} is not a video that can be read: {why}") from error


def _video_stream(container: Any, path: Path) -> Any:
    if not container.streams.video:
        raise ClipError(f"{path.name} has no picture")
    return container.streams.video[0]


def _decoded(container: Any, stream: Any) -> Iterator[Any]:
    """Frames up to the end, or to where the file is damaged."""
    import av

    try:
        yield from container.decode(stream)
    except av.FFmpegError:
        return


def _seek(container: Any, stream: Any, to_s: float) -> float | None:
    """Go to a frame before ``to_s`` of the picture -> the time of the first picture; None when
    nothing was decoded and the container is as it was."""
    if to_s <= 1.0:
        return None
    first = next(_decoded(container, stream), None)
    if first is None or first.time is None:
        return None
    container.seek(max(0, int((first.time + to_s - 0.5) * 1e6)))
    return float(first.time)


def _start_s(stream: Any) -> float:
    if stream.start_time is None or stream.time_base is None:
        return 0.0
    return float(stream.start_time * stream.time_base)
