"""Makes the shipped driving clip anew: ``python -m server.studio.examples`` (half a minute).

A shipped portrait, a face of nobody, speaks the first seconds of the sample voice; the lite engine
renders it, and it is stored small.
"""

import asyncio
import tempfile
import wave
from fractions import Fraction
from pathlib import Path
from typing import Any

from server.studio.parts import DRIVING_CLIP, SAMPLE_VOICE
from server.videos.offline import render_file
from server.videos.render_job import RenderJob

AVATAR = "felix"
SECONDS = 4.0
SIDE_PX = 320


def main() -> None:
    """Writes DRIVING_CLIP and says how large it became."""
    with tempfile.TemporaryDirectory() as folder:
        voice, video = Path(folder, "voice.wav"), Path(folder, "video.mp4")
        _first_seconds(SAMPLE_VOICE, voice)
        asyncio.run(render_file(RenderJob(AVATAR, voice, video, seed=5, engine="lite")))
        _shrink(video, DRIVING_CLIP)
    print(f"{DRIVING_CLIP}: {DRIVING_CLIP.stat().st_size / 1000:.0f} kB")


def _first_seconds(source: Path, target: Path) -> None:
    with wave.open(str(source)) as sound, wave.open(str(target), "wb") as out:
        out.setparams(sound.getparams())
        out.writeframes(sound.readframes(int(SECONDS * sound.getframerate())))


def _shrink(source: Path, target: Path) -> None:
    import av

    with (
        av.open(str(source)) as whole,
        av.open(str(target), "w", options={"movflags": "+faststart"}) as small,
    ):
        video: Any = small.add_stream(
            "libx264", rate=25, options={"preset": "veryslow", "crf": "27"}
        )
        video.width = video.height = SIDE_PX
        video.pix_fmt, video.time_base = "yuv420p", Fraction(1, 25)
        sound: Any = small.add_stream("aac", rate=48_000, layout="mono")
        sound.bit_rate = 64_000
        for frame in whole.decode():
            frame.pts = frame.pts if frame.time_base else None
            if isinstance(frame, av.VideoFrame):
                small.mux(video.encode(frame.reformat(SIDE_PX, SIDE_PX)))
            else:
                small.mux(sound.encode(frame))
        for stream in (video, sound):
            small.mux(stream.encode(None))


if __name__ == "__main__":
    main()
