"""Small videos and sounds whose every frame can be told."""

import io
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from liveportrait.source.media import (
    VideoFrames,
)
from models.shapes import FloatArray, Image

RATE_HZ = 44_100


def flat(level: int, width: int = 64, height: int = 48) -> Image:
    return np.full((height, width, 3), level, np.uint8)


def write_video(
    path: Path,
    stamps: Sequence[int],
    *,
    rate: Fraction | int = 25,
    tick: Fraction = Fraction(1, 1000),
    codec: str = "libx264",
    size: tuple[int, int] = (64, 48),
) -> None:
    """Frame k has the grey level 20 + 4 k and is shown at ``stamps[k]`` ticks."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.time_base = tick
        for index, stamp in enumerate(stamps):
            frame = av.VideoFrame.from_ndarray(flat(20 + 4 * index, *size), format="rgb24")
            frame.pts, frame.time_base = stamp, tick
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def levels(frames: VideoFrames) -> list[int]:
    """Which frame of ``write_video`` each frame is."""
    return [round((float(frame.mean()) - 20) / 4) for frame in frames]


def tone(seconds: float, frequency_hz: float = 440) -> FloatArray:
    at = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return (0.5 * np.sin(2 * np.pi * frequency_hz * at)).astype(np.float32)


def write_sound(path: Path, wave: FloatArray, container_format: str | None = None) -> None:
    with av.open(str(path), "w", container_format) as container:
        codec = "aac" if path.suffix != ".wav" else "pcm_s16le"
        stream: Any = container.add_stream(codec, RATE_HZ, layout="mono")
        frame = av.AudioFrame.from_ndarray(wave[None], format="flt", layout="mono")
        frame.sample_rate, frame.pts = RATE_HZ, 0
        for part in av.AudioResampler(stream.format.name, stream.layout, RATE_HZ).resample(frame):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))


def sound_of(path: Path) -> FloatArray:
    with av.open(str(path)) as container:
        parts = [frame.to_ndarray() for frame in container.decode(audio=0)]
    return np.concatenate(parts, axis=1)


def kinds(path: Path) -> list[str]:
    with av.open(str(path)) as container:
        return [stream.codec_context.name for stream in container.streams]


def encoded(image: Image, kind: str) -> bytes:
    from PIL import Image as Pillow

    data = io.BytesIO()
    Pillow.fromarray(image).save(data, kind)
    return data.getvalue()
