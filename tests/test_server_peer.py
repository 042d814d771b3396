"""Whole sessions over WebRTC with in-process peers: what arrives, when, and what is freed."""

import asyncio
import itertools
from fractions import Fraction

import numpy as np
from aiortc.mediastreams import MediaStreamTrack
from av import AudioFrame

from models.shapes import PcmArray
from server.voice.media_time import PACKET_SAMPLES
from tests.fake_engine import read_frame_number, read_level
from tests.server_fixtures import FakeServer, Watcher, started_session, tone, watching
from tests.test_server_api import wav_bytes


class ToneMicrophone(MediaStreamTrack):  # type: ignore[misc]
    """A microphone at real-time pace: silence, then a tone, and so on, half a second each."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._voice = np.concatenate([np.zeros(24_000, np.int16), tone(0.5)])
        self._position = 0
        self._due = asyncio.get_running_loop().time()

    async def recv(self) -> AudioFrame:
        await asyncio.sleep(max(0.0, self._due - asyncio.get_running_loop().time()))
        self._due += 0.02
        packet = np.take(
            self._voice, range(self._position, self._position + PACKET_SAMPLES), mode="wrap"
        )
        frame = AudioFrame.from_ndarray(packet[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = 48_000, self._position
        frame.time_base = Fraction(1, 48_000)
        self._position += PACKET_SAMPLES
        return frame


def heard(watcher: Watcher) -> PcmArray:
    """The received sound, left channel, packets in their order."""
    return np.concatenate([frame.to_ndarray().reshape(-1)[::2] for frame in watcher.sounds])


def numbers(watcher: Watcher) -> list[int]:
    return [read_frame_number(frame.to_ndarray(format="rgb24")) for frame in watcher.pictures]


async def test_idle_pictures_arrive_in_order_at_their_times(fake_server: FakeServer) -> None:
    async with (
        started_session(fake_server) as (client, session),
        watching(client, session) as watcher,
    ):
        await watcher.until(pictures=50)
    seen = numbers(watcher)
    assert seen[0] <= 1
    assert all(later >= earlier for earlier, later in itertools.pairwise(seen))
    for frame, later in itertools.pairwise(watcher.pictures):
        assert later.pts - frame.pts == 3600
    assert watcher.pictures[0].width == 128


async def test_picture_k_arrives_with_sound_k(fake_server: FakeServer) -> None:
    pulses = np.concatenate([tone(0.4), np.zeros(19_200, np.int16)] * 4)
    async with (
        started_session(fake_server) as (client, session),
        watching(client, session) as watcher,
    ):
        await watcher.until(pictures=10)
        files = {"audio": ("pulses.wav", wav_bytes(pulses))}
        await client.post(f"/v1/sessions/{session['id']}/speech", files=files)
        await watcher.until(pictures=120)
    # both tracks begin with the packets of media time 0, and a receiver counts from its first
    sound = np.zeros((200, 1920), np.int16)
    for frame in watcher.sounds:
        number, place = divmod(frame.pts, 1920)
        sound[number, place : place + PACKET_SAMPLES] = frame.to_ndarray().reshape(-1)[::2]
    loud_sound = np.abs(sound).max(axis=1) > 3000
    agree = [
        loud_sound[number] == (read_level(frame.to_ndarray(format="rgb24")) > 100)
        for frame, number in zip(watcher.pictures, numbers(watcher), strict=True)
        if number == frame.pts // 3600  # a busy machine shows some pictures twice
    ]
    assert len(agree) > 40
    assert np.mean(agree) > 0.9  # the codec smears the sound's edges into the next frame
    assert loud_sound.sum() >= 36


async def test_a_microphone_moves_the_face_and_its_state(fake_server: FakeServer) -> None:
    async with (
        started_session(fake_server, voice_in="mic") as (client, session),
        watching(client, session, ToneMicrophone()) as watcher,
    ):
        await watcher.until(pictures=100)
        state = (await client.get(f"/v1/sessions/{session['id']}")).json()["state"]
    levels = [read_level(frame.to_ndarray(format="rgb24")) for frame in watcher.pictures]
    assert max(levels) > 150
    assert min(levels[30:]) < 40
    assert np.abs(heard(watcher)).max() > 5000
    assert state in ("listening", "speaking")


async def test_a_second_offer_takes_the_place_of_the_first(fake_server: FakeServer) -> None:
    async with (
        started_session(fake_server) as (client, session),
        watching(client, session) as first,
    ):
        await first.until(pictures=10)
        async with watching(client, session) as second:
            await second.until(pictures=10)
            assert numbers(second)[-1] > numbers(first)[-1]
            described = (await client.get(f"/v1/sessions/{session['id']}")).json()
            assert described["connected"] is True


async def test_a_client_that_leaves_frees_its_place(fake_server: FakeServer) -> None:
    sessions = fake_server.app.state.context.sessions
    async with started_session(fake_server) as (client, session):
        async with watching(client, session) as watcher:
            await watcher.until(pictures=5)
        async with asyncio.timeout(15):
            while any(live.session_id == session["id"] for live in sessions.all()):
                await asyncio.sleep(0.05)
        answer = await client.get(f"/v1/sessions/{session['id']}")
        assert answer.json()["code"] == "not_found"
