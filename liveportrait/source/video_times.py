"""When a video shows its frames, told from its packets without decoding them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.containers import demuxer_of_file
from models.errors import ConfigError, VideoError
from models.shapes import IntArray

ACCEPTED = "a video that FFmpeg can decode (MP4, MOV, WebM, MKV, AVI), with at least one frame"
MAX_SECONDS = 3_600.0
MIN_FPS, MAX_FPS = 1.0, 240.0
_DEFAULT_FPS = 25.0  # of a single frame
_SAME_RATE = 0.01  # share by which a file's stated rate may miss its time stamps
_CUT_OFF_S = 1.0  # frames missing at the end for so long, and a tenth, mean a truncated file


@dataclass(frozen=True, slots=True)
class VideoTimes:
    """A constant rate laid over a video's time stamps.

    ``fps``: of the frames given out; ``count``: how many; ``start``, ``per_frame``: the first
    frame's time stamp and how many ticks later the next frame is due.
    """

    fps: float
    count: int
    start: int
    per_frame: float

    def index(self, stamp: int) -> int:
        """The number of the frame with this time stamp."""
        return round((stamp - self.start) / self.per_frame)


def open_video(path: Path) -> tuple[Any, Any]:
    """PyAV's container and video stream. The caller closes the container.

    Raises ConfigError (no file) and VideoError (no video in it).
    """
    import av

    try:
        demuxer = demuxer_of_file(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    if demuxer is None:
        raise VideoError(f"{path} is damaged or no video; accepted: {ACCEPTED}")
    try:
        container = av.open(str(path), format=demuxer, metadata_errors="ignore")
    except (av.error.FFmpegError, ValueError) as error:
        raise VideoError(f"{path} is damaged or no video; accepted: {ACCEPTED}") from error
    covers = av.stream.Disposition.attached_pic
    streams = [s for s in container.streams.video if not s.disposition & covers]
    if not streams:
        container.close()
        raise VideoError(f"{path} holds no pictures, only sound; accepted: {ACCEPTED}")
    return container, streams[0]


def read_times(path: Path, fps: float | None = None) -> VideoTimes:
    """The times of a video at its own rate, or resampled to ``fps``.

    Raises ConfigError and VideoError: no video, damaged, cut off, longer than an hour, or of a
    rate that is none.
    """
    import av

    if fps is not None and not MIN_FPS <= fps <= MAX_FPS:
        raise ConfigError(f"fps is {fps:g}; accepted: {MIN_FPS:g} to {MAX_FPS:g}")
    container, stream = open_video(path)
    with container:
        stated = stream.guessed_rate or stream.average_rate
        tick_s = float(stream.time_base)
        duration_s = (stream.duration or 0) * tick_s
        stamps = []
        try:
            for packet in container.demux(stream):
                if packet.pts is not None and not packet.is_discard:
                    stamps.append(packet.pts)
                    if (packet.pts - stamps[0]) * tick_s > MAX_SECONDS:
                        raise VideoError(f"{path} is longer than {MAX_SECONDS:g} s")
        except av.error.FFmpegError as error:
            raise VideoError(f"{path} is damaged or cut off") from error
    times = np.unique(np.array(stamps, np.int64))
    if not len(times):
        raise VideoError(f"{path} holds no frame; accepted: {ACCEPTED}")
    missing_s = duration_s - float(times[-1] - times[0]) * tick_s
    if missing_s > _CUT_OFF_S + 0.1 * duration_s:
        raise VideoError(f"{path} is cut off: its last {missing_s:.1f} s are missing")
    return _times(times, tick_s, float(stated or 0), fps, path)


def _times(
    stamps: IntArray, tick_s: float, stated: float, fps: float | None, path: Path
) -> VideoTimes:
    span = float(stamps[-1] - stamps[0])
    if not span:
        return VideoTimes(fps or stated or _DEFAULT_FPS, 1, int(stamps[0]), 1.0)
    mean = span / (len(stamps) - 1)  # ticks per frame
    even = np.abs(stamps - stamps[0] - mean * np.arange(len(stamps))).max() < mean / 2
    measured = 1 / (mean * tick_s)
    own = stated if MIN_FPS <= stated <= MAX_FPS else measured
    if even and abs(own / measured - 1) > _SAME_RATE:
        own = measured
    if not MIN_FPS <= own <= MAX_FPS:
        raise VideoError(f"{path} shows {own:.3g} frames a second; accepted: 1 to {MAX_FPS:g}")
    # evenly spaced frames are all taken, whatever the last digits of the stated rate say
    per_frame = mean if even and fps is None else 1 / ((fps or own) * tick_s)
    # the last frame is shown for as long as the others
    count = max(round((span + mean) / per_frame), 1)
    return VideoTimes(fps or own, count, int(stamps[0]), per_frame)
