import io
import struct
import wave

import numpy as np
import pytest

from models.shapes import PcmArray
from server.speech_synthesis.synthesiser import SpeechServiceFailedError
from server.speech_synthesis.wav_stream import WavStream
from tests.server_fixtures import tone


def wav_file(pcm: PcmArray, rate_hz: int, channels: int = 1) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(pcm.astype("<i2").tobytes())
    return buffer.getvalue()


HEADER = wav_file(tone(0.1), 48_000)[:36]  # up to where the sound begins


def decoded(data: bytes, piece: int) -> PcmArray:
    stream = WavStream()
    parts = [stream.push(data[start : start + piece]) for start in range(0, len(data), piece)]
    return np.concatenate([*(part for part in parts if part is not None), stream.finish()])


@pytest.mark.parametrize("piece", [1, 7, 44, 4096])
def test_a_file_in_pieces_of_any_size_is_decoded(piece: int) -> None:
    pcm = tone(0.1)
    np.testing.assert_array_equal(decoded(wav_file(pcm, 48_000), piece), pcm)


def test_another_rate_is_resampled_and_other_chunks_are_passed_over() -> None:
    data = wav_file(tone(0.5, rate_hz=24_000), 24_000)
    listed = data[:12] + b"LIST" + struct.pack("<I", 5) + b"abcde\0" + data[12:]
    assert len(decoded(listed + b"trailing", 100)) == pytest.approx(24_000, abs=2)


def test_a_length_that_is_not_known_yet_means_to_the_end() -> None:
    pcm = tone(0.1)
    data = wav_file(pcm, 48_000)
    place = data.index(b"data") + 4
    endless = data[:place] + b"\xff\xff\xff\xff" + data[place + 4 :]
    np.testing.assert_array_equal(decoded(endless, 999), pcm)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<html>not found</html>", "is no WAV file"),
        (b"", "is no WAV file"),
        (wav_file(tone(0.1), 48_000, channels=2), "2 channels"),
        (wav_file(tone(0.1), 96_000), "96000 Hz"),
        (HEADER + b"junk" + struct.pack("<I", 70_000) + bytes(70_000), "no sound"),
    ],
)
def test_what_is_no_speech_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(SpeechServiceFailedError, match=reason):
        decoded(data, 5_000)
