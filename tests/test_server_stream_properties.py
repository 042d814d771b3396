"""Anything at all on a session's WebSocket: it is understood, or answered by ``error``."""

import asyncio
import base64
import contextlib
import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from server.api.stream import BAD_EVENTS_IN_A_ROW
from server.api.stream_protocol import BadEventError, parse_event
from tests.server_fixtures import FakeServer, started_session

TYPES = (
    "speech.start",
    "speech.append",
    "speech.end",
    "speech.text",
    "speech.interrupt",
    "motion.update",
    "ping",
    "dance",
)
NAMES = ("sample_rate", "speech_id", "audio", "text", "voice", "head", "blink", "mood", "type", "x")
CODES = {
    "invalid_event",
    "speech_queue_full",
    "text_to_speech_unavailable",
    "speech_service_failed",
    "unknown_voice",
    "bad_text",
    "forbidden",
}
POLICY = 1008

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.sampled_from([16_000, 24_000, 48_000, 1.0, "anna", "neutral"])
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=40).map(lambda data: base64.b64encode(data).decode()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)
events = st.builds(
    lambda kind, fields: json.dumps({**fields, "type": kind}),
    st.sampled_from(TYPES),
    st.dictionaries(st.sampled_from(NAMES), values, max_size=3),
)
good = st.sampled_from(
    [
        '{"type": "speech.start", "sample_rate": 16000}',
        '{"type": "speech.append", "audio": "AAAA"}',
        '{"type": "speech.end"}',
        '{"type": "motion.update", "head": 0.5}',
        '{"type": "speech.interrupt"}',
    ]
)
messages = st.lists(
    good | events | values.map(json.dumps) | st.text(max_size=30) | st.binary(max_size=200),
    min_size=1,
    max_size=12,
)


async def converse(server: FakeServer, conversations: list[list[str | bytes]]) -> None:
    """One socket for each; their session and the server must be there after every one."""
    async with started_session(server) as (client, session):
        url = server.url.replace("http", "ws", 1) + session["urls"]["stream"]
        for said in conversations:
            async with connect(url) as socket:
                with contextlib.suppress(ConnectionClosed):
                    for message in said:
                        await socket.send(message)
                    await socket.send('{"type": "ping"}')
                    await until_pong(socket)
                assert socket.close_code in (None, POLICY), said
                assert socket.close_code is None or len(said) >= BAD_EVENTS_IN_A_ROW
            assert (await client.get(f"/v1/sessions/{session['id']}")).status_code == 200, said


async def until_pong(socket: object) -> None:
    """Every error on the way has a code that is documented."""
    async with asyncio.timeout(20):
        while True:
            event = json.loads(await socket.recv())  # type: ignore[attr-defined]
            if event["type"] == "error":
                assert event["code"] in CODES, event
                assert event["message"]
            if event["type"] == "pong":
                return


@settings(
    max_examples=6,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(conversations=st.lists(messages, min_size=15, max_size=15))
def test_a_session_lives_through_anything(
    fake_server: FakeServer, conversations: list[list[str | bytes]]
) -> None:
    asyncio.run(converse(fake_server, conversations))


@settings(max_examples=300, derandomize=True, database=None)
@given(text=events | values.map(json.dumps) | st.text(max_size=100))
def test_a_text_frame_is_an_event_or_a_bad_one(text: str) -> None:
    with contextlib.suppress(BadEventError):
        assert parse_event(text).type in TYPES
