"""The driving-video tool: make the pictures, write the file."""

import time
from pathlib import Path

from liveportrait.animate.animation import Animation, Progress, Steps
from liveportrait.animate.job import AnimateJob, AnimateResult
from models.errors import ConfigError
from models.shapes import Image


def animate(job: AnimateJob, progress: Progress | None = None) -> AnimateResult:
    """Make the animation; ``progress`` hears of steps done and in all, which phases correct.

    An unfinished file is removed. Raises MissingWeightsError (which names the command that fetches
    the files), PortraitError, NoFaceError, ConfigError, TemplateError, VideoError, SoundError.
    """
    began = time.perf_counter()
    steps = Steps(progress or (lambda *_: None))
    animation = _planned(job, steps)
    write = _write_picture if job.writes_picture else _write_video
    frames = write(job, animation, steps)
    return AnimateResult(job.out, frames, time.perf_counter() - began)


def _planned(job: AnimateJob, steps: Steps) -> Animation:
    if job.engine == "lite":
        from liveportrait.animate.lite import lite_animation

        return lite_animation(job, steps)
    from liveportrait.animate.neural import neural_animation

    return neural_animation(job, steps)


def _write_video(job: AnimateJob, animation: Animation, steps: Steps) -> int:
    from liveportrait.source.media import VideoSink

    frames = 0
    with VideoSink(job.out, animation.fps, animation.size, job.sound_from) as sink:
        for picture in animation.pictures:
            sink.add(picture)
            frames += 1
            steps.advance()
    return frames


def _write_picture(job: AnimateJob, animation: Animation, steps: Steps) -> int:
    """The one picture that a picture as driver gives. Raises ConfigError for a video."""
    if animation.frames != 1:
        raise ConfigError(
            f"out is {job.out}, but the driver has {animation.frames} frames: name an .mp4"
        )
    for picture in animation.pictures:
        _save_picture(job.out, picture)
        steps.advance()
    return 1


def _save_picture(path: Path, picture: Image) -> None:
    import cv2

    _, data = cv2.imencode(path.suffix, picture[..., ::-1])
    try:
        path.write_bytes(data.tobytes())
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error
