import itertools

import numpy as np
import pytest

from models.shapes import PcmArray
from server.voice.media_time import PACKET_MS, PACKET_SAMPLES, from_ms, to_ms
from server.voice.session_voice import JITTER_SAMPLES, SessionVoice, VoiceMark
from tests.server_fixtures import tone
from tests.voice_fixtures import hello

QUIET = np.zeros(PACKET_SAMPLES, np.int16)
LOUD = tone(0.02)
AHEAD = from_ms(520)


def make_voice() -> SessionVoice:
    numbers = itertools.count(1)
    return SessionVoice(48_000 * 60, lambda: f"mic{next(numbers)}")


def packets(pcm: PcmArray) -> list[PcmArray]:
    whole = len(pcm) // PACKET_SAMPLES * PACKET_SAMPLES
    return list(pcm[:whole].reshape(-1, PACKET_SAMPLES))


def voice_marks(voice: SessionVoice, position: int) -> list[VoiceMark]:
    return [mark for mark in voice.pass_marks(position) if isinstance(mark, VoiceMark)]


def test_nobody_speaks_and_the_timeline_is_silence_up_to_the_target() -> None:
    voice = make_voice()
    voice.fill(AHEAD)
    assert voice.timeline.written == AHEAD
    assert not voice.timeline.read(0, AHEAD).any()
    assert voice.padded_samples == 0
    assert voice.quiet


def test_a_whole_speech_is_written_without_a_gap_and_marked() -> None:
    voice = make_voice()
    speech = tone(0.5)
    utterance = voice.queue.open("a")
    voice.queue.add(utterance, speech)
    utterance.closed = True
    for position in range(0, 48_000, PACKET_SAMPLES):
        voice.fill(position + AHEAD)
    np.testing.assert_array_equal(voice.timeline.read(0, len(speech)), speech)
    start, end = voice_marks(voice, 48_000)
    assert (start.position, start.starts) == (0, True)
    assert (end.position, end.starts) == (len(speech), False)


def test_a_microphone_in_step_is_never_padded_nor_dropped() -> None:
    voice = make_voice()
    for position in range(0, 10 * 48_000, PACKET_SAMPLES):
        voice.fill(position + AHEAD)
        voice.push_microphone(LOUD, position + AHEAD)
    assert voice.padded_samples == 0
    assert voice.dropped_samples == 0
    assert voice.microphone_running


def test_jitter_within_the_margin_costs_nothing() -> None:
    voice = make_voice()
    random = np.random.default_rng(3)
    late: list[int] = []
    for tick in range(1000):
        position = tick * PACKET_SAMPLES
        voice.fill(position + AHEAD)
        late.append(tick + int(random.integers(0, 3)))  # up to 40 ms late
        for due in [due for due in late if due <= tick]:
            late.remove(due)
            voice.push_microphone(LOUD, position + AHEAD)
    assert voice.padded_samples == 0
    assert voice.dropped_samples == 0


def test_worse_jitter_costs_one_gap_and_is_then_expected() -> None:
    latest_packets = 3  # 60 ms, half as much again as the margin
    voice = make_voice()
    random = np.random.default_rng(3)
    late: list[int] = []
    padded_ms: list[int] = []
    for tick in range(800):
        position = tick * PACKET_SAMPLES
        voice.fill(position + AHEAD)
        # a packet overtakes none before it
        delay = int(random.integers(0, latest_packets + 1)) if tick > 50 else 0
        late.append(max([tick + delay, *late[-1:]]))
        for due in [due for due in late if due <= tick]:
            late.remove(due)
            voice.push_microphone(LOUD, position + AHEAD)
        padded_ms.append(to_ms(voice.padded_samples))
    settled = padded_ms[200]
    assert 0 < settled <= latest_packets * PACKET_MS - to_ms(JITTER_SAMPLES)
    assert padded_ms[-1] == settled
    assert voice.dropped_samples == 0


def test_packets_that_came_in_a_heap_at_the_start_delay_the_voice_for_a_second_only() -> None:
    voice = make_voice()
    target = AHEAD
    voice.fill(target)
    for tick in range(120):
        for _ in range(2 if tick == 0 else 1):
            voice.push_microphone(QUIET, target)
        target += PACKET_SAMPLES
        voice.fill(target)
        if tick == 40:
            assert voice.timeline.written - target == PACKET_SAMPLES
    assert voice.timeline.written == target
    assert voice.dropped_samples == PACKET_SAMPLES
    assert voice.padded_samples == 0


def test_a_slow_microphone_clock_is_padded_and_a_fast_one_shortened() -> None:
    slow, fast = make_voice(), make_voice()
    for tick in range(3000):
        target = tick * PACKET_SAMPLES + AHEAD
        slow.fill(target)
        fast.fill(target)
        if tick % 100:  # 1 % slow
            slow.push_microphone(LOUD, target)
        for _ in range(2 if tick % 100 == 0 else 1):
            fast.push_microphone(LOUD, target)
        assert slow.timeline.written >= target - JITTER_SAMPLES
        assert fast.timeline.written <= target + from_ms(160)
    assert slow.padded_samples > 0
    assert slow.dropped_samples == 0
    assert fast.padded_samples == 0
    assert fast.dropped_samples > 0


def test_microphone_speech_is_marked_where_it_begins_and_ends_not_where_it_was_noticed() -> None:
    voice = make_voice()
    target = AHEAD
    silence = np.zeros(from_ms(1_000), np.int16)
    recorded = hello()
    for packet in packets(np.concatenate([silence, recorded, silence])):
        voice.fill(target)
        voice.push_microphone(packet, target)
        target += PACKET_SAMPLES
    start, *between, end = voice_marks(voice, target)
    assert start.starts
    assert not end.starts
    assert start.speech_id == "mic1"
    assert len(between) % 2 == 0
    loud = np.flatnonzero(np.abs(recorded) > 1_000)
    assert start.position - AHEAD - from_ms(1_000 + 20) == pytest.approx(loud[0], abs=from_ms(120))
    assert end.position - AHEAD - from_ms(1_000 + 20) == pytest.approx(loud[-1], abs=from_ms(200))
    assert not start.from_api


def test_api_speech_has_the_floor_and_the_microphone_comes_back_after_it() -> None:
    voice = make_voice()
    utterance = voice.queue.open("a")
    voice.queue.add(utterance, tone(0.2, level=0.9))
    utterance.closed = True
    voice.fill(AHEAD // 8)
    voice.push_microphone(LOUD, AHEAD // 8)
    assert voice.dropped_samples == PACKET_SAMPLES
    voice.fill(AHEAD)
    voice.fill(AHEAD + PACKET_SAMPLES)
    voice.push_microphone(LOUD, AHEAD + PACKET_SAMPLES)
    assert voice.dropped_samples == PACKET_SAMPLES
    assert voice.microphone_running


def test_a_microphone_that_stops_ends_its_speech() -> None:
    voice = make_voice()
    target = AHEAD
    spoken = packets(hello())
    for tick in range(200):
        voice.fill(target)
        if tick < 60:
            voice.push_microphone(spoken[tick], target)
        target += PACKET_SAMPLES
    assert not voice.microphone_running
    assert [mark.starts for mark in voice_marks(voice, target)] == [True, False]


def test_a_microphone_that_is_only_listened_to_does_not_reach_the_timeline() -> None:
    voice = make_voice()
    voice.microphone_drives = False
    heard: list[PcmArray] = []
    voice.on_heard = heard.append
    target = AHEAD
    spoken = packets(hello())
    for packet in spoken:
        voice.fill(target)
        voice.push_microphone(packet, target)
        target += PACKET_SAMPLES
    assert len(heard) == len(spoken)
    assert voice.microphone_running
    assert not voice.timeline.read(0, voice.timeline.written).any()
    assert voice.padded_samples == 0
    assert voice.dropped_samples == 0
    assert voice.quiet


def test_odd_packets_of_a_microphone_add_up() -> None:
    voice = make_voice()
    voice.fill(AHEAD)
    speech = tone(0.2)
    for start in range(0, len(speech), 441):
        voice.push_microphone(speech[start : start + 441], AHEAD + start)
    whole = len(speech) // PACKET_SAMPLES * PACKET_SAMPLES
    written = voice.timeline.read(voice.timeline.written - whole, whole)
    np.testing.assert_array_equal(written, speech[:whole])


def test_interrupt_reports_what_was_heard_and_empties_everything() -> None:
    voice = make_voice()
    for name in ("a", "b"):
        utterance = voice.queue.open(name)
        voice.queue.add(utterance, tone(1.0))
        utterance.closed = True
    voice.fill(AHEAD)
    voice.pass_marks(0)
    cut = voice.interrupt(from_ms(300), from_ms(400))
    assert [(speech.speech_id, speech.heard) for speech in cut] == [("a", from_ms(300)), ("b", 0)]
    assert voice.quiet
    assert voice.timeline.written == from_ms(400)
    assert voice.timeline.read(from_ms(290), from_ms(10)).any()
    assert not voice.timeline.read(from_ms(305), from_ms(95)).any()
    voice.fill(AHEAD)
    assert not voice.timeline.read(from_ms(305), AHEAD).any()


def test_a_stream_that_runs_dry_is_padded_and_counted() -> None:
    voice = make_voice()
    utterance = voice.queue.open("a")
    voice.queue.add(utterance, tone(0.2))
    for tick in range(50):
        voice.fill(AHEAD + tick * PACKET_SAMPLES)
    assert voice.padded_samples > 0
    assert voice.timeline.written >= AHEAD + 49 * PACKET_SAMPLES - JITTER_SAMPLES
