import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.voice_buffer import VoiceBuffer


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 90), max_size=20))
def test_the_last_samples_are_always_readable(sizes: list[int]) -> None:
    voice = np.arange(1, sum(sizes) + 1, dtype=np.float32)
    buffer = VoiceBuffer(50)
    for part in np.split(voice, np.cumsum(sizes)):
        buffer.append(part)
    assert buffer.end == len(voice)
    start = max(len(voice) - 50, 0)
    assert buffer.first <= start
    np.testing.assert_array_equal(buffer.read(start, len(voice)), voice[start:])


def test_outside_the_voice_is_silence() -> None:
    buffer = VoiceBuffer(10)
    buffer.append(np.ones(4, np.float32))
    assert buffer.read(-2, 6).tolist() == [0, 0, 1, 1, 1, 1, 0, 0]
    assert buffer.read(-9, -5).tolist() == [0, 0, 0, 0]


def test_truncated_samples_are_gone_and_replaced() -> None:
    buffer = VoiceBuffer(10)
    buffer.append(np.ones(6, np.float32))
    buffer.truncate(2)
    assert buffer.read(0, 4).tolist() == [1, 1, 0, 0]
    buffer.append(np.full(1, 5, np.float32))
    assert buffer.read(0, 4).tolist() == [1, 1, 5, 0]


def test_forgotten_samples_are_refused() -> None:
    buffer = VoiceBuffer(10)
    for _ in range(5):
        buffer.append(np.ones(10, np.float32))
    with pytest.raises(ValueError, match="is forgotten"):
        buffer.read(0, 5)
    with pytest.raises(ValueError, match="not among those kept"):
        buffer.truncate(0)
