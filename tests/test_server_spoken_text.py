"""Texts and barge-in from a client's side: a whole server, the embedded voice, real peers."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from websockets.asyncio.client import ClientConnection, connect

from models.shapes import FloatArray
from server.bench.speech_microphone import SpeechMicrophone
from server.config.speech import SpeechSettings
from tests.server_fixtures import (
    FakeServer,
    make_settings,
    run_fake_server,
    started_session,
    watching,
)
from tests.speech_service import SpeechService, running_speech_service
from tests.test_server_api import check_problem
from tests.voice_fixtures import hello

TEXT = "Hello there. I am speaking, and nobody recorded me."


@pytest.fixture(scope="module")
def speech_service() -> Iterator[SpeechService]:
    with running_speech_service() as service:
        yield service


@pytest.fixture(scope="module")
def service_server(
    speech_service: SpeechService, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FakeServer]:
    """A server whose voice is behind a URL."""
    settings = make_settings(
        tmp_path_factory.mktemp("engine"),
        text_to_speech="openai",
        speech=SpeechSettings(url=speech_service.url, stall_timeout_s=0.5),
    )
    with run_fake_server(settings) as server:
        yield server


@asynccontextmanager
async def opened(server: FakeServer, session: dict[str, Any]) -> AsyncIterator[ClientConnection]:
    async with connect(server.url.replace("http", "ws", 1) + session["urls"]["stream"]) as socket:
        yield socket


async def events_until(socket: ClientConnection, kind: str) -> list[dict[str, Any]]:
    """The events up to and with the next one of this kind, but for stats and states."""
    told: list[dict[str, Any]] = []
    async with asyncio.timeout(60):
        while True:
            event = json.loads(await socket.recv())
            if event["type"] not in ("stats", "state", "session.ready"):
                told.append(event)
            if event["type"] == kind:
                return told


async def test_a_text_is_spoken_with_captions_and_heard_by_the_peer(
    fake_server: FakeServer,
) -> None:
    async with (
        started_session(fake_server) as (client, session),
        opened(fake_server, session) as socket,
        watching(client, session) as watcher,
    ):
        await watcher.until(pictures=5)
        url = f"/v1/sessions/{session['id']}/speech"
        answer = await client.post(url, json={"text": TEXT, "voice": "heart-deep"})
        assert answer.status_code == 202, answer.text
        told = await events_until(socket, "speech.ended")
    assert {event["speech_id"] for event in told} == {answer.json()["speech_id"]}
    kinds = [event["type"] for event in told]
    assert kinds == ["speech.started", "caption", "caption", "speech.ended"]
    captions = told[1:3]
    assert " ".join(caption["text"] for caption in captions) == TEXT
    assert captions[0]["at_ms"] == told[0]["at_ms"]
    assert captions[0]["at_ms"] + captions[0]["duration_ms"] == pytest.approx(
        captions[1]["at_ms"], abs=1
    )
    spoken_ms = sum(caption["duration_ms"] for caption in captions)
    assert spoken_ms == pytest.approx(told[3]["duration_ms"], abs=2)
    sound = np.concatenate([frame.to_ndarray().reshape(-1) for frame in watcher.sounds])
    assert np.abs(sound).max() > 3_000


async def test_a_text_over_the_socket_is_spoken_and_a_bad_one_told(
    fake_server: FakeServer,
) -> None:
    async with (
        started_session(fake_server) as (client, session),
        opened(fake_server, session) as socket,
        watching(client, session) as watcher,
    ):
        await watcher.until(pictures=5)
        for bad in ({"text": "!"}, {"text": "Hi.", "voice": "nobody"}, {"text": 5}, {}):
            await socket.send(json.dumps({"type": "speech.text", **bad}))
        refused = [(await events_until(socket, "error"))[-1]["code"] for _ in range(4)]
        assert refused == ["bad_text", "unknown_voice", "invalid_event", "invalid_event"]
        text = {"type": "speech.text", "text": "Hello.", "speech_id": "mine"}
        await socket.send(json.dumps(text))
        told = await events_until(socket, "caption")
        assert [event["speech_id"] for event in told] == ["mine", "mine"]
        await socket.send(json.dumps({"type": "speech.interrupt"}))
        (cut,) = await events_until(socket, "speech.interrupted")
        assert (cut["speech_id"], cut["reason"]) == ("mine", "client")


async def test_texts_that_cannot_be_spoken_are_refused(fake_server: FakeServer) -> None:
    async with started_session(fake_server) as (client, session):
        url = f"/v1/sessions/{session['id']}/speech"
        for body, code in (
            ({"text": ""}, "bad_text"),
            ({"text": "?!"}, "bad_text"),
            ({"text": "a" * 5_001}, "bad_text"),
            ({"text": "Hello.", "voice": "nobody"}, "unknown_voice"),
            ({"text": "Hello.", "url": "http://169.254.169.254/"}, "invalid_request"),
            ({"voice": "heart"}, "invalid_request"),
            ([], "invalid_request"),
        ):
            check_problem(await client.post(url, json=body), 422, code)
        json_type = {"content-type": "application/json"}
        broken = await client.post(url, content=b"{", headers=json_type)
        check_problem(broken, 422, "invalid_request")
        large = await client.post(url, content=b" " * 1_100_000, headers=json_type)
        check_problem(large, 413, "too_large")
    async with started_session(fake_server, voice_in="mic") as (client, session):
        url = f"/v1/sessions/{session['id']}/speech"
        check_problem(await client.post(url, json={"text": "Hello."}), 403, "forbidden")


async def test_a_service_speaks_and_its_failure_is_an_event(
    service_server: FakeServer, speech_service: SpeechService
) -> None:
    async with (
        started_session(service_server) as (client, session),
        opened(service_server, session) as socket,
        watching(client, session) as watcher,
    ):
        server = (await client.get("/v1/server")).json()
        assert server["text_to_speech"] is True
        assert server["voices"] == [{"id": "alloy", "name": "alloy", "language": None}]
        await watcher.until(pictures=5)
        url = f"/v1/sessions/{session['id']}/speech"
        assert (await client.post(url, json={"text": TEXT})).status_code == 202
        told = await events_until(socket, "speech.ended")
        assert told[-1]["duration_ms"] == pytest.approx(2_000, abs=2)
        assert [request["input"] for request in speech_service.requests] == [
            "Hello there.",
            "I am speaking, and nobody recorded me.",
        ]
        speech_service.behaviour = "500"
        assert (await client.post(url, json={"text": TEXT})).status_code == 202
        told = await events_until(socket, "speech.ended")
        error = told[0]
        assert (error["type"], error["code"]) == ("error", "speech_service_failed")
        assert speech_service.url not in error["message"]
        assert told[-1]["duration_ms"] == 0


async def test_a_peer_that_talks_over_the_avatar_silences_it(fake_server: FakeServer) -> None:
    silence: FloatArray = np.zeros(3 * 48_000, np.float32)
    user = np.concatenate([silence, hello()[48_000:].astype(np.float32) / 32_768])
    async with (
        started_session(fake_server, voice_in="api", listen="barge_in") as (client, session),
        opened(fake_server, session) as socket,
        watching(client, session, SpeechMicrophone(user)) as watcher,
    ):
        await watcher.until(pictures=5)
        url = f"/v1/sessions/{session['id']}/speech"
        long_text = "This is a long story, and nobody knows how it ends. " * 5
        answer = await client.post(url, json={"text": long_text})
        assert answer.status_code == 202
        told = await events_until(socket, "speech.interrupted")
        cut, started = told[-1], told[-2]
        assert started["type"] == "user_speech.started"
        assert cut["speech_id"] == answer.json()["speech_id"]
        assert cut["reason"] == "barge_in"
        assert cut["position_ms"] > 0
        ended = (await events_until(socket, "user_speech.ended"))[-1]
        assert ended["duration_ms"] > 200
        assert ended["at_ms"] == started["at_ms"] + ended["duration_ms"]
        state = (await client.get(f"/v1/sessions/{session['id']}")).json()
        assert state["listen"] == "barge_in"
