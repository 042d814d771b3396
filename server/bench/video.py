"""How long an ordered video takes: it should be made faster than it plays."""

import asyncio
import time
from typing import Any

import numpy as np

from server.bench.figures import VideoFigures
from server.bench.target import BenchError, Target
from server.videos.spoken_text import wav_file
from server.voice.media_time import PLAYOUT_RATE_HZ
from server.voice.pcm import to_pcm

_LOOK_S = 0.1  # between two looks at the job


async def measure_video(target: Target, seconds: float) -> VideoFigures:
    """Two videos of ``seconds``, one after the other: the first one starts an engine for files, the
    second finds it. Raises BenchError."""
    said = np.resize(target.wave, round(seconds * PLAYOUT_RATE_HZ))  # again and again
    sound = wav_file(to_pcm(said))
    first_s = await _make(target, sound)
    return VideoFigures(seconds, round(first_s, 2), round(await _make(target, sound), 2))


async def _make(target: Target, sound: bytes) -> float:
    """Seconds from the order to the file that can be fetched."""
    ordered_at = time.monotonic()
    order = await target.client.post(
        "/v1/videos",
        data={"avatar_id": target.session["avatar_id"]},
        files={"audio": ("speech.wav", sound)},
    )
    if order.is_error:
        raise BenchError(f"no video: {order.status_code} {order.text[:300]}")
    place = f"/v1/videos/{order.json()['id']}"
    while True:
        video: dict[str, Any] = (await target.client.get(place)).raise_for_status().json()
        if video["status"] == "done":
            took_s = time.monotonic() - ordered_at
            await target.client.delete(place)
            return took_s
        if video["status"] not in ("queued", "running"):
            raise BenchError(f"the video is {video['status']}: {video['error']}")
        await asyncio.sleep(_LOOK_S)
