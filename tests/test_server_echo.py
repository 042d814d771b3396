"""The avatar's own voice out of the user's loudspeakers against somebody else's."""

import numpy as np
import pytest
import scipy.signal

from models.shapes import PcmArray
from server.voice.echo import ECHO_LIKENESS, EchoGuard, band_levels
from server.voice.media_time import PACKET_SAMPLES, from_ms
from tests.server_fixtures import tone
from tests.voice_fixtures import hello, mixed, noise, synthesised

AVATAR = (
    "The weather has been wonderful this week, and I think that we should go out and walk along"
    " the river before the sun goes down again."
)


def in_a_room(voice: PcmArray, delay_ms: float, gain: float) -> PcmArray:
    """Through a small loudspeaker, a room and a network."""
    random = np.random.default_rng(5)
    room = random.standard_normal(9_600) * np.exp(-np.arange(9_600) / 1_500)
    room /= np.sqrt(np.sum(room**2))
    room[0] += 1.5
    band = scipy.signal.butter(2, [200, 5_000], "band", fs=48_000)
    sounding = scipy.signal.lfilter(*band, scipy.signal.fftconvolve(voice, room)[: len(voice)])
    delayed = np.concatenate([np.zeros(from_ms(delay_ms)), sounding * gain])
    echo: PcmArray = np.clip(delayed, -32768, 32767).astype(np.int16)
    return echo


def likenesses(played: PcmArray, heard: PcmArray) -> list[float]:
    guard = EchoGuard()
    found: list[float] = []
    for start in range(0, min(len(played), len(heard)) - PACKET_SAMPLES, PACKET_SAMPLES):
        packet = slice(start, start + PACKET_SAMPLES)
        guard.played(played[packet])
        guard.heard(heard[packet])
        if start > from_ms(900) and np.abs(heard[packet]).max() > 300:
            found.append(guard.likeness())
    return found


@pytest.mark.parametrize("delay_ms", [30, 200, 600])
@pytest.mark.parametrize("gain", [0.1, 0.5])
def test_an_echo_is_recognised_through_loudspeaker_room_and_network(
    delay_ms: float, gain: float
) -> None:
    avatar = synthesised(AVATAR)
    echo = in_a_room(avatar, delay_ms, gain)
    found = likenesses(avatar, mixed(echo, noise(len(echo) / 48_000, -60)))
    assert np.mean(np.array(found) >= ECHO_LIKENESS) > 0.8


@pytest.mark.parametrize("user", [hello(), synthesised()], ids=["recorded", "the same speaker"])
def test_another_voice_is_none_even_with_a_soft_echo_below_it(user: PcmArray) -> None:
    avatar = synthesised(AVATAR)
    talking = np.tile(user, 3)[: len(avatar)]
    alone = likenesses(avatar, talking)
    above = likenesses(avatar, mixed(talking, in_a_room(avatar, 200, 0.05)[: len(avatar)]))
    assert np.mean(np.array(alone) < ECHO_LIKENESS) > 0.8
    assert np.mean(np.array(above) < ECHO_LIKENESS) > 0.75


def test_bands_tell_where_a_tone_lies() -> None:
    levels = band_levels(tone(0.02))  # 440 Hz
    assert int(np.argmax(levels)) == 1
    assert (band_levels(np.zeros(PACKET_SAMPLES, np.int16)) == -70.0).all()
