import numpy as np
import pytest

from models.shapes import PcmArray
from server.voice.speech_queue import PREBUFFER_SAMPLES, SpeechQueue, SpeechQueueFullError


def ramp(samples: int) -> PcmArray:
    return np.arange(samples).astype(np.int16)


def test_speech_comes_out_in_order_whatever_the_pieces() -> None:
    queue = SpeechQueue(100_000)
    utterance = queue.open("a")
    for start in range(0, 9000, 700):
        queue.add(utterance, ramp(9000)[start : start + 700])
    utterance.closed = True
    taken = [utterance.take(1111) for _ in range(10)]
    np.testing.assert_array_equal(np.concatenate(taken), ramp(9000))
    assert utterance.buffered == 0


def test_an_open_utterance_waits_for_its_prebuffer_again_after_it_ran_dry() -> None:
    queue = SpeechQueue(100_000)
    utterance = queue.open("a")
    queue.add(utterance, ramp(PREBUFFER_SAMPLES - 1))
    assert len(utterance.take(960)) == 0
    queue.add(utterance, ramp(1))
    assert len(utterance.take(960)) == 960
    assert len(utterance.take(10_000)) == PREBUFFER_SAMPLES - 960
    queue.add(utterance, ramp(960))
    assert len(utterance.take(960)) == 0
    utterance.closed = True
    assert len(utterance.take(960)) == 960


def test_the_queue_is_bounded_over_all_utterances() -> None:
    queue = SpeechQueue(1000)
    queue.add(queue.open("a"), ramp(600))
    second = queue.open("b")
    with pytest.raises(SpeechQueueFullError, match="full"):
        queue.add(second, ramp(401))
    queue.add(second, ramp(400))
    assert queue.buffered == 1000


def test_clearing_drops_everything() -> None:
    queue = SpeechQueue(1000)
    utterance = queue.open("a")
    queue.add(utterance, ramp(600))
    assert [u.speech_id for u in queue.clear()] == ["a"]
    assert queue.first is None
    assert queue.buffered == 0


def test_what_is_added_to_a_dropped_utterance_is_thrown_away() -> None:
    queue = SpeechQueue(1000)
    utterance = queue.open("a")
    queue.add(utterance, ramp(10))
    queue.clear()
    for _ in range(1000):
        queue.add(utterance, ramp(900))
    assert len(utterance.parts) == 0
