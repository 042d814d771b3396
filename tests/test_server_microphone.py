import numpy as np
import pytest
from av import AudioFrame

from models.shapes import PcmArray
from server.webrtc.microphone import MicrophoneConverter
from tests.server_fixtures import tone


def frame(pcm: PcmArray, rate_hz: int, layout: str) -> AudioFrame:
    planes = pcm[None] if layout == "mono" else np.repeat(pcm, 2)[None]
    made = AudioFrame.from_ndarray(np.ascontiguousarray(planes), format="s16", layout=layout)
    made.sample_rate = rate_hz
    return made


def converted(rate_hz: int, layout: str) -> PcmArray:
    converter = MicrophoneConverter()
    voice = tone(0.5, rate_hz=rate_hz)
    size = rate_hz // 50
    packets = [voice[start : start + size] for start in range(0, len(voice), size)]
    parts = [converter.push(frame(packet, rate_hz, layout)) for packet in packets]
    return np.concatenate([*parts, converter.finish()])


@pytest.mark.parametrize("layout", ["mono", "stereo"])
def test_opus_frames_come_through_unchanged(layout: str) -> None:
    np.testing.assert_allclose(converted(48_000, layout), tone(0.5), atol=1)


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100])
def test_other_rates_keep_their_length_and_pitch(rate_hz: int) -> None:
    voice = converted(rate_hz, "mono")
    assert len(voice) == pytest.approx(24_000, abs=2)
    np.testing.assert_allclose(voice[2000:-2000], tone(0.5)[2000:22_000], atol=400)
