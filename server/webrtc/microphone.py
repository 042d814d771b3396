"""A client's microphone track -> mono int16 at 48 kHz for the session."""

from collections.abc import Callable

import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, AudioResampler

from models.shapes import PcmArray
from server.voice.media_time import PLAYOUT_RATE_HZ

LONGEST_FILLED_S = 0.2  # of packets lost in a row; after more the sender was muted or away


class MicrophoneConverter:
    """Whatever form the codec's frames have (rate, channels, samples) -> [n] int16 at 48 kHz.

    Lost packets become silence, so that the voice after them keeps its place in time.
    """

    def __init__(self) -> None:
        self._resampler = AudioResampler(format="s16", layout="mono", rate=PLAYOUT_RATE_HZ)
        self._next_s: float | None = None  # where the next frame should begin

    def push(self, frame: AudioFrame) -> PcmArray:
        """The samples [n] that this frame completes."""
        missing = round(self._missing_s(frame) * PLAYOUT_RATE_HZ)
        voice = _samples(self._resampler.resample(frame))
        return np.concatenate([np.zeros(missing, np.int16), voice]) if missing else voice

    def finish(self) -> PcmArray:
        """What was still inside."""
        return _samples(self._resampler.resample(None))

    def _missing_s(self, frame: AudioFrame) -> float:
        """Seconds of voice that were lost before this frame."""
        if frame.pts is None or frame.time_base is None:
            return 0.0
        begins_s = float(frame.pts * frame.time_base)
        gap_s = 0.0 if self._next_s is None else begins_s - self._next_s
        self._next_s = begins_s + frame.samples / frame.sample_rate
        return gap_s if 0.001 < gap_s <= LONGEST_FILLED_S else 0.0


async def read_microphone(track: MediaStreamTrack, deliver: Callable[[PcmArray], None]) -> None:
    """Deliver the track's voice until it ends."""
    converter = MicrophoneConverter()
    try:
        while True:
            deliver(converter.push(await track.recv()))
    except MediaStreamError:
        deliver(converter.finish())


async def drain(track: MediaStreamTrack) -> None:
    """Read a track that nobody wants: unread ones pile up in memory."""
    try:
        while True:
            await track.recv()
    except MediaStreamError:
        return


def _samples(frames: list[AudioFrame]) -> PcmArray:
    parts = [frame.to_ndarray().reshape(-1) for frame in frames]
    return np.concatenate([np.zeros(0, np.int16), *parts])
