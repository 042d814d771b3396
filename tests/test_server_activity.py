"""Silero in the server's form: it must find voices, whatever is around them, and nothing else."""

import sys

import numpy as np
import pytest

from models.shapes import PcmArray
from server.voice.activity import BEGIN_MS, HANGOVER_WINDOWS, VoiceActivity
from server.voice.media_time import PACKET_MS, PACKET_SAMPLES, PLAYOUT_RATE_HZ, from_ms
from tests.server_fixtures import tone
from tests.voice_fixtures import hello, mixed, noise, synthesised

SILENCE = np.zeros(PLAYOUT_RATE_HZ, np.int16)


def verdicts(voice: PcmArray) -> list[bool]:
    activity = VoiceActivity()
    whole = len(voice) // PACKET_SAMPLES * PACKET_SAMPLES
    return [activity.push(packet) for packet in voice[:whole].reshape(-1, PACKET_SAMPLES)]


def surrounded(voice: PcmArray) -> PcmArray:
    return np.concatenate([SILENCE, voice, SILENCE])


def claps() -> PcmArray:
    random = np.random.default_rng(2)
    sound = np.zeros(4 * PLAYOUT_RATE_HZ, np.int16)
    for start in range(from_ms(200), len(sound) - from_ms(200), from_ms(450)):
        burst = random.standard_normal(4800) * np.exp(-np.arange(4800) / 600) * 10_000
        sound[start : start + 4800] = np.clip(burst, -32768, 32767)
    return sound


def melody() -> PcmArray:
    notes = [262, 294, 330, 349, 392, 440, 494, 523]
    time_s = np.arange(from_ms(500)) / PLAYOUT_RATE_HZ
    played = [
        sum(np.sin(2 * np.pi * note * k * time_s) / k for k in range(1, 6)) * np.exp(-3 * time_s)
        for note in notes
    ]
    sound: PcmArray = (np.concatenate(played) * 5_000).astype(np.int16)
    return sound


@pytest.mark.parametrize("voice", [hello(), synthesised()], ids=["recorded", "synthesised"])
@pytest.mark.parametrize("noise_dbfs", [-96.0, -43.0, -33.0])
def test_a_voice_is_found_where_it_is_with_noise_and_without(
    voice: PcmArray, noise_dbfs: float
) -> None:
    heard = surrounded(voice)
    found = verdicts(mixed(heard, noise(len(heard) / PLAYOUT_RATE_HZ, noise_dbfs)))
    loud = np.flatnonzero(np.abs(heard) > 1_000) // PACKET_SAMPLES
    first = found.index(True)
    last = len(found) - 1 - found[::-1].index(True)
    assert -2 <= first - loud[0] <= 240 // PACKET_MS
    assert abs(last - loud[-1]) * PACKET_MS <= HANGOVER_WINDOWS * 32 + 200
    assert not any(found[: loud[0] - 2])


@pytest.mark.parametrize(
    "sound",
    [np.tile(SILENCE, 4), noise(4, -40), noise(4, -20), tone(4), claps(), melody()],
    ids=["silence", "soft noise", "loud noise", "a tone", "claps", "a melody"],
)
def test_what_is_no_voice_is_not_taken_for_one(sound: PcmArray) -> None:
    assert not any(verdicts(sound))


def test_pauses_between_words_are_not_the_end() -> None:
    voice = synthesised()
    word = voice[from_ms(300) : from_ms(1_100)]
    pause = np.zeros(from_ms(200), np.int16)
    found = verdicts(np.concatenate([SILENCE, word, pause, word, SILENCE]))
    first = found.index(True)
    assert all(found[first : (1_000 + 1_800) // PACKET_MS])
    assert not found[-1]


def test_it_tells_how_long_ago_speech_began_and_ended() -> None:
    activity = VoiceActivity()
    heard = surrounded(synthesised())
    loud = np.flatnonzero(np.abs(heard) > 600)
    began = ended = None
    for start in range(0, len(heard) - PACKET_SAMPLES, PACKET_SAMPLES):
        before = activity.speaking
        activity.push(heard[start : start + PACKET_SAMPLES])
        if activity.speaking and not before:
            began = start + PACKET_SAMPLES - activity.since_onset
            assert activity.since_onset >= from_ms(BEGIN_MS)
        if before and not activity.speaking:
            ended = start + PACKET_SAMPLES - activity.since_voice
    assert began == pytest.approx(loud[0], abs=from_ms(130))
    assert ended == pytest.approx(loud[-1], abs=from_ms(200))


def test_the_verdict_does_not_depend_on_what_another_microphone_hears() -> None:
    alone, beside, other = VoiceActivity(), VoiceActivity(), VoiceActivity()
    heard = surrounded(synthesised())
    noisy = noise(len(heard) / PLAYOUT_RATE_HZ, -20)
    for start in range(0, len(heard) - PACKET_SAMPLES, PACKET_SAMPLES):
        packet = slice(start, start + PACKET_SAMPLES)
        other.push(noisy[packet])
        assert alone.push(heard[packet]) == beside.push(heard[packet])


def test_a_reset_forgets_the_voice() -> None:
    activity = VoiceActivity()
    for packet in hello()[: from_ms(1_500)].reshape(-1, PACKET_SAMPLES):
        activity.push(packet)
    assert activity.speaking
    activity.reset()
    assert not activity.push(np.zeros(PACKET_SAMPLES, np.int16))


def test_the_package_with_its_pytorch_is_not_imported() -> None:
    VoiceActivity()
    assert "silero_vad" not in sys.modules
