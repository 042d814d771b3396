"""Picture and video files in, MP4 files out. What a file is, its first bytes and FFmpeg say."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from liveportrait.source.video_sound import VideoSound
from liveportrait.source.video_times import (
    MAX_FPS,
    MIN_FPS,
    VideoTimes,
    open_video,
    read_times,
)
from models.errors import ConfigError, VideoError
from models.images import MAX_SIDE_PX, decode_image
from models.mp4 import THREADS, Mp4Writer
from models.shapes import FloatArray, Image

MAX_DIM_PX = 1280  # official source_max_dim
DIVISION_PX = 2  # official source_division
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")
_MOST_REPEATED_S = 1.0  # how long the last frame may stand for frames that are listed but missing
_FPS_DENOMINATOR = 1001  # 29.97 is 30000 / 1001


def limited_size(width: int, height: int, max_dim: int, division: int) -> tuple[int, int, int, int]:
    """(width, height) of a picture after resizing, then after cutting to multiples of ``division``.

    Source: ``resize_to_limit`` in ``src/utils/io.py`` of the official implementation.
    """
    if 0 < max_dim < max(width, height):
        if height > width:
            width, height = int(width * (max_dim / height)), max_dim
        else:
            width, height = max_dim, int(height * (max_dim / width))
    cut_width, cut_height = width - width % division, height - height % division
    if not cut_width or not cut_height:
        return width, height, width, height
    return width, height, cut_width, cut_height


def limit_size(image: Image, max_dim: int = MAX_DIM_PX, division: int = DIVISION_PX) -> Image:
    """[H, W, 3] with no side longer than ``max_dim`` (0: any) and sides in multiples of
    ``division``, as the official tool does with every source."""
    import cv2

    height, width = image.shape[:2]
    division = max(division, 1)
    resized_w, resized_h, cut_w, cut_h = limited_size(width, height, max_dim, division)
    if (resized_w, resized_h) != (width, height):
        image = cv2.resize(image, (max(resized_w, 1), max(resized_h, 1)))
    return np.ascontiguousarray(image[: max(cut_h, 1), : max(cut_w, 1)])


def is_picture(path: Path) -> bool:
    """Whether the first bytes are those of a JPEG, PNG or WebP. Raises ConfigError."""
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    if not head:
        raise ConfigError(f"{path} is empty; accepted: a picture or a video")
    return head.startswith(_SIGNATURES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


def read_picture(path: Path) -> Image:
    """An upright RGB picture [H, W, 3].

    Raises ConfigError (no file), NotAnImageError or ImageTooLargeError.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    return decode_image(data)


@dataclass(frozen=True, slots=True)
class VideoFrames:
    """The frames of a video at a constant rate; every iteration reads the file anew.

    Iterating gives ``count`` upright RGB frames of ``size`` (width, height). A frame that the file
    shows for longer comes several times, one that it shows for too short is left out.
    """

    path: Path
    fps: float
    count: int
    size: tuple[int, int]
    times: VideoTimes
    max_dim: int = 0  # 0: frames keep their size
    division: int = 1

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Image]:
        """Raises VideoError where the file is damaged."""
        shown = 0
        frame: Image | None = None
        for stamp, following in _decoded(self.path):
            # a frame is shown until the next one is due, and the first from the beginning
            until = self.count if frame is None else min(self.times.index(stamp), self.count)
            while frame is not None and shown < until:
                yield frame
                shown += 1
            if shown == self.count:
                return
            frame = limit_size(following, self.max_dim, self.division)
        if frame is None or self.count - shown > _MOST_REPEATED_S * self.fps:
            raise VideoError(
                f"{self.path} is damaged: it ends after {shown} of {self.count} frames"
            )
        for _ in range(shown, self.count):
            yield frame


def read_frames(
    path: Path,
    *,
    fps: float | None = None,
    max_frames: int | None = None,
    max_dim: int = 0,
    division: int = 1,
) -> VideoFrames:
    """A video at its own rate, or resampled to ``fps``; at most ``max_frames`` of it.

    ``max_dim``, ``division``: see ``limit_size``. Nothing is decoded but the first frame.
    Raises ConfigError (no file, a wrong option) and VideoError (no video, damaged, cut off, longer
    than an hour, larger than 4096 pixels).
    """
    if max_frames is not None and max_frames < 1:
        raise ConfigError(f"max_frames is {max_frames}; accepted: 1 and more")
    times = read_times(path, fps)
    first = next(_decoded(path), None)
    if first is None:
        raise VideoError(f"{path} is damaged: no frame of it can be decoded")
    height, width = limit_size(first[1], max_dim, division).shape[:2]
    count = times.count if max_frames is None else min(times.count, max_frames)
    return VideoFrames(path, times.fps, count, (width, height), times, max_dim, division)


def read_source(
    path: Path,
    *,
    max_dim: int = MAX_DIM_PX,
    division: int = DIVISION_PX,
    max_frames: int | None = None,
) -> Image | VideoFrames:
    """What is to be animated, in the official size: a picture [H, W, 3], or a video.

    Raises what ``read_picture`` and ``read_frames`` raise.
    """
    if is_picture(path):
        return limit_size(read_picture(path), max_dim, division)
    return read_frames(path, max_frames=max_frames, max_dim=max_dim, division=division)


def _decoded(path: Path) -> Iterator[tuple[int, Image]]:
    """Time stamps and upright RGB frames [H, W, 3], all of the first one's size."""
    import av

    container, stream = open_video(path)
    with container:
        width, height = stream.codec_context.width, stream.codec_context.height
        if not 0 < max(width, height) <= MAX_SIDE_PX:
            raise VideoError(
                f"{path} has {width}x{height} pixels; accepted are up to {MAX_SIDE_PX} a side"
            )
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = THREADS
        try:
            for frame in container.decode(stream):
                rgb = frame.to_ndarray(format="rgb24", width=width, height=height)
                if frame.pts is not None:
                    yield frame.pts, np.rot90(rgb, frame.rotation // 90)
        except (av.error.FFmpegError, ValueError) as error:
            raise VideoError(f"{path} is damaged: a frame cannot be decoded") from error


class VideoSink(Mp4Writer):
    """An H264 + AAC MP4, frame by frame; a context manager that removes an unfinished file.

    ``size``: (width, height), even; ``sound_from``: a file whose sound goes along, cut to the
    frames' length; a file without sound gives a silent video.
    Raises ConfigError (cannot be written, odd size, no such file) and SoundError.
    """

    def __init__(
        self, path: Path, fps: float, size: tuple[int, int], sound_from: Path | None = None
    ) -> None:
        rate = Fraction(fps).limit_denominator(_FPS_DENOMINATOR)
        if not MIN_FPS <= rate <= MAX_FPS:
            raise ConfigError(f"fps is {fps:g}; accepted: {MIN_FPS:g} to {MAX_FPS:g}")
        if sound_from is not None and sound_from.resolve() == path.resolve():
            raise ConfigError(f"{path} would be written over while its sound is read")
        self._sound = None if sound_from is None else VideoSound.of(sound_from)
        self._chunks: Iterator[FloatArray] = self._sound.chunks() if self._sound else iter(())
        track = None if self._sound is None else (self._sound.rate_hz, self._sound.layout)
        super().__init__(path, size, rate, track)
        self._size, self._fps = size, rate
        self._left: FloatArray = np.zeros((1, 0), np.float32)  # decoded, not yet due
        self._samples = 0
        self.frames = 0

    def add(self, image: Image) -> None:
        """The next frame, RGB [H, W, 3]. Raises ConfigError when it has another size."""
        import av
        import cv2

        if image.shape != (self._size[1], self._size[0], 3):
            raise ConfigError(f"a frame of {image.shape}, but the video's size is {self._size}")
        planes = cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420)
        self.add_picture(av.VideoFrame.from_ndarray(planes, "yuv420p"), self.frames)
        self.frames += 1
        self._add_sound()

    def _add_sound(self) -> None:
        """As much sound as there are pictures, so that both lie side by side in the file."""
        if self._sound is None:
            return
        due = round(self.frames / self._fps * self._sound.rate_hz)
        while self._samples < due:
            if not self._left.shape[1]:
                piece = next(self._chunks, None)
                if piece is None:
                    return
                self._left = piece
            piece, self._left = np.split(self._left, [due - self._samples], axis=1)
            self.add_wave(piece, self._samples)
            self._samples += piece.shape[1]
