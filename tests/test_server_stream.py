"""The WebSocket: events out, voice in, nonsense survived."""

import asyncio
import base64
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from models.shapes import PcmArray
from server.api.stream_protocol import BadEventError, parse_event
from server.voice.pcm import PcmConverter
from tests.server_fixtures import FakeServer, started_session, tone, watching


@asynccontextmanager
async def opened(server: FakeServer, session: dict[str, Any]) -> AsyncIterator[ClientConnection]:
    url = server.url.replace("http", "ws", 1) + session["urls"]["stream"]
    async with connect(url) as socket:
        ready = json.loads(await socket.recv())
        assert ready["type"] == "session.ready"
        assert ready["session_id"] == session["id"]
        assert (ready["fps"], ready["width"], ready["height"]) == (25, 128, 128)
        assert ready["picture_delay_ms"] > 0
        yield socket


async def expect(socket: ClientConnection, kind: str, limit_s: float = 30) -> dict[str, Any]:
    """The next event of a kind."""
    async with asyncio.timeout(limit_s):
        while True:
            event: dict[str, Any] = json.loads(await socket.recv())
            if event["type"] == kind:
                return event


async def tell(socket: ClientConnection, kind: str, **fields: object) -> None:
    await socket.send(json.dumps({"type": kind, **fields}))


async def test_ping_and_stats(fake_server: FakeServer) -> None:
    async with started_session(fake_server) as (_, session), opened(fake_server, session) as socket:
        await tell(socket, "ping")
        await expect(socket, "pong")
        stats = await expect(socket, "stats")
        assert {"fps", "frames_late", "queue_ms", "picture_delay_ms", "media_ms"} <= set(stats)


async def test_a_wrong_token_is_not_let_in(fake_server: FakeServer) -> None:
    async with started_session(fake_server) as (_, session):
        url = fake_server.url.replace("http", "ws", 1) + f"/v1/sessions/{session['id']}/stream"
        for query in ("", "?token=wrong"):
            async with connect(url + query) as socket:
                with pytest.raises(ConnectionClosed) as closed:
                    await socket.recv()
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 1008


async def test_streamed_speech_is_announced_heard_and_ended(fake_server: FakeServer) -> None:
    async with (
        started_session(fake_server) as (client, session),
        opened(fake_server, session) as socket,
        watching(client, session) as watcher,
    ):
        await watcher.until(pictures=5)
        pcm = tone(1.0, rate_hz=16_000).astype("<i2").tobytes()
        await tell(socket, "speech.start", sample_rate=16_000, speech_id="mine")
        for start in range(0, len(pcm) // 2, 777):
            await socket.send(pcm[start : min(start + 777, len(pcm) // 2)])
        rest = base64.b64encode(pcm[len(pcm) // 2 :]).decode()
        await tell(socket, "speech.append", audio=rest)
        await tell(socket, "speech.end")
        started = await expect(socket, "speech.started")
        assert started["speech_id"] == "mine"
        assert (await expect(socket, "state"))["state"] == "speaking"
        ended = await expect(socket, "speech.ended")
        assert ended["duration_ms"] == pytest.approx(1000, abs=2)


async def test_interrupt_over_the_socket(fake_server: FakeServer) -> None:
    async with (
        started_session(fake_server) as (client, session),
        opened(fake_server, session) as socket,
        watching(client, session) as watcher,
    ):
        await watcher.until(pictures=5)
        await tell(socket, "speech.start", sample_rate=48_000)
        await socket.send(tone(5.0).astype("<i2").tobytes())
        started = await expect(socket, "speech.started")
        await tell(socket, "speech.interrupt")
        cut = await expect(socket, "speech.interrupted")
        assert cut["speech_id"] == started["speech_id"]
        assert 0 <= cut["position_ms"] < 5000
        assert (await expect(socket, "state"))["state"] == "idle"


async def test_bad_events_are_answered_and_ten_in_a_row_close(fake_server: FakeServer) -> None:
    async with started_session(fake_server) as (_, session), opened(fake_server, session) as socket:
        bad: list[str | bytes] = [
            "{",
            "[]",
            "{}",
            '{"type": "dance"}',
            '{"type": "speech.start"}',
            '{"type": "speech.start", "sample_rate": 44}',
            '{"type": "speech.start", "sample_rate": 96000}',
            '{"type": "speech.end"}',
            b"\x00\x01",
        ]
        for message in bad:
            await socket.send(message)
            assert (await expect(socket, "error"))["code"] == "invalid_event"
        await tell(socket, "motion.update", head=0.5)
        await tell(socket, "ping")
        await expect(socket, "pong")
        for _ in range(10):
            await tell(socket, "motion.update", head="much")
        with pytest.raises(ConnectionClosed) as closed:
            await expect(socket, "nothing")
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008


async def test_the_end_of_the_session_is_the_last_event(fake_server: FakeServer) -> None:
    async with (
        started_session(fake_server) as (client, session),
        opened(fake_server, session) as socket,
    ):
        await client.delete(f"/v1/sessions/{session['id']}")
        assert (await expect(socket, "session.ended"))["reason"] == "deleted"
        with pytest.raises(ConnectionClosed):
            await socket.recv()


async def test_motion_update_reaches_the_session(fake_server: FakeServer) -> None:
    async with started_session(fake_server) as (_, session), opened(fake_server, session) as socket:
        await tell(socket, "motion.update", head=0.25, blink=2)
        await tell(socket, "ping")
        await expect(socket, "pong")
        live = fake_server.app.state.context.sessions.get(session["id"])
        assert (live.session.levels.head, live.session.levels.blink) == (0.25, 2.0)
        assert live.session.levels.gaze == 1.0


@given(st.lists(st.integers(0, 3001), max_size=20))
def test_bytes_cut_anywhere_give_the_same_voice(cuts: list[int]) -> None:
    data = tone(0.0625, rate_hz=24_000).astype("<i2").tobytes()

    def convert(edges: list[int]) -> PcmArray:
        converter = PcmConverter(24_000)
        marks = [0, *sorted(min(edge, len(data)) for edge in edges), len(data)]
        pieces = [data[a:b] for a, b in itertools.pairwise(marks)]
        return np.concatenate([*(converter.push(piece) for piece in pieces), converter.finish()])

    whole = convert([])
    assert len(whole) == 3000
    np.testing.assert_array_equal(convert(cuts), whole)


@pytest.mark.parametrize("text", ['{"type": 3}', "null", "1", '"x"', "[" * 100_000])
def test_what_is_no_event(text: str) -> None:
    with pytest.raises(BadEventError):
        parse_event(text)
