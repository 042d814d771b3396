"""A client's microphone track -> mono int16 at 48 kHz for the session."""

from collections.abc import Callable

import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, AudioResampler

from models.shapes import PcmArray
from server.voice.media_time import PLAYOUT_RATE_HZ


class MicrophoneConverter:
    """Whatever form the codec's frames have (rate, channels, samples) -> [n] int16 at 48 kHz."""

    def __init__(self) -> None:
        self._resampler = AudioResampler(format="s16", layout="mono", rate=PLAYOUT_RATE_HZ)

    def push(self, frame: AudioFrame) -> PcmArray:
        """The samples [n] that this frame completes."""
        return _samples(self._resampler.resample(frame))

    def finish(self) -> PcmArray:
        """What was still inside."""
        return _samples(self._resampler.resample(None))


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
