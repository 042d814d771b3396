"""The voice that the fake microphone plays: the page's own sample, with clear pauses."""

import wave
from pathlib import Path

import numpy as np

from models.sound import read_sound, resample
from models.timing import SAMPLE_RATE_HZ
from server.bench.server_process import ROOT

SAMPLE = ROOT / "client" / "web" / "samples" / "hello.wav"
PAUSE_S = 1.5
MICROPHONE_RATE_HZ = 48_000


def write_voice_with_pauses(path: Path) -> None:
    """Writes the sample as 48 kHz PCM16, a pause at its quietest place near the middle and one
    at its end. Chromium's fake microphone plays the file over and over."""
    speech = read_sound(SAMPLE)
    cut = _quietest(speech)
    pause = np.zeros(int(PAUSE_S * SAMPLE_RATE_HZ), np.float32)
    voice = resample(
        np.concatenate([speech[:cut], pause, speech[cut:], pause]),
        SAMPLE_RATE_HZ,
        MICROPHONE_RATE_HZ,
    )
    pcm = (np.clip(voice, -1, 1) * 32767).astype("<i2")
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(MICROPHONE_RATE_HZ)
        out.writeframes(pcm.tobytes())


def _quietest(speech: np.ndarray) -> int:
    """The middle of the quietest 50 ms in the middle third."""
    size = SAMPLE_RATE_HZ // 20
    third = len(speech) // 3
    starts = range(third, 2 * third, size // 2)
    energy = [float(np.square(speech[start : start + size]).sum()) for start in starts]
    return starts[int(np.argmin(energy))] + size // 2
