import numpy as np
import pytest

from server.voice.gate import HANGOVER_PACKETS, VoiceGate, level_dbfs
from tests.server_fixtures import tone

QUIET = np.zeros(960, np.int16)
LOUD = tone(0.02)


def test_level_of_a_full_scale_square_is_zero_dbfs() -> None:
    assert level_dbfs(np.full(960, -32768, np.int16)) == pytest.approx(0.0, abs=0.01)
    assert level_dbfs(QUIET) == -96.0


def test_a_click_does_not_open_the_gate_but_speech_does() -> None:
    gate = VoiceGate()
    assert not gate.push(LOUD)
    assert not gate.push(QUIET)
    assert not gate.push(LOUD)
    assert gate.push(LOUD)


def test_pauses_between_words_keep_it_open_and_silence_closes_it() -> None:
    gate = VoiceGate()
    gate.push(LOUD)
    gate.push(LOUD)
    states = [gate.push(QUIET) for _ in range(HANGOVER_PACKETS)]
    assert all(states[:-1])
    assert not states[-1]
