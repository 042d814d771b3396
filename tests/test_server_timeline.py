import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.shapes import FloatArray, PcmArray
from server.voice.media_time import PACKET_SAMPLES
from server.voice.timeline import VoiceTimeline


def noise(samples: int, seed: int = 1) -> PcmArray:
    voice: PcmArray = np.random.default_rng(seed).integers(-9000, 9000, samples).astype(np.int16)
    return voice


def encoded(voice: PcmArray, cuts: list[int]) -> FloatArray:
    timeline = VoiceTimeline()
    blocks = []
    edges = [0, *sorted(cuts), len(voice)]
    for start, end in itertools.pairwise(edges):
        timeline.write(voice[start:end])
        blocks.append(timeline.next_blocks())
    return np.concatenate(blocks)


@given(st.lists(st.integers(0, 9600), max_size=12))
def test_packets_of_any_size_reach_the_encoder_the_same(cuts: list[int]) -> None:
    voice = noise(9600)
    np.testing.assert_array_equal(encoded(voice, cuts), encoded(voice, []))


def test_what_was_never_written_reads_as_silence() -> None:
    timeline = VoiceTimeline()
    timeline.write(noise(100))
    voice = timeline.read(50, 100)
    np.testing.assert_array_equal(voice[:50], noise(100)[50:])
    assert not voice[50:].any()
    assert not timeline.read(-100, 50).any()


def test_truncating_forgets_and_encodes_the_new_voice_again() -> None:
    timeline = VoiceTimeline()
    timeline.write(noise(10 * PACKET_SAMPLES))
    timeline.next_blocks()
    timeline.truncate(4 * PACKET_SAMPLES)
    timeline.write(noise(6 * PACKET_SAMPLES, seed=2))
    again = timeline.next_blocks()
    whole = np.concatenate([noise(10 * PACKET_SAMPLES)[: 4 * PACKET_SAMPLES], noise(6 * 960, 2)])
    np.testing.assert_array_equal(again, encoded(whole, [])[4 * 320 :])


def test_truncating_beyond_the_end_fills_with_silence() -> None:
    timeline = VoiceTimeline()
    timeline.write(noise(PACKET_SAMPLES))
    timeline.truncate(3 * PACKET_SAMPLES)
    assert timeline.written == 3 * PACKET_SAMPLES
    assert not timeline.read(PACKET_SAMPLES, 2 * PACKET_SAMPLES).any()


def test_the_encoder_goes_back_to_packet_edges_only() -> None:
    with pytest.raises(ValueError, match="edge"):
        VoiceTimeline().encode_again_from(7)


def test_silence_begins_with_a_fade() -> None:
    timeline = VoiceTimeline()
    timeline.write(np.full(2000, 10_000, np.int16))
    timeline.silence_from(1000, 240)
    voice = timeline.read(0, 2000)
    assert (voice[:1001] == 10_000).all()
    assert (np.diff(voice[1000:1240]) <= 0).all()
    assert not voice[1240:].any()


def test_old_voice_is_freed_and_new_voice_stays() -> None:
    timeline = VoiceTimeline()
    for _ in range(200):
        timeline.write(noise(4800))
        timeline.forget_before(timeline.written)
    assert len(timeline._samples) < 48_000 * 3
    np.testing.assert_array_equal(timeline.read(timeline.written - 4800, 4800), noise(4800))
