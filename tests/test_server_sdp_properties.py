"""Damaged session descriptions: every one gets an answer or a named refusal, and nothing ends."""

import asyncio
import random
from typing import Any

import httpx
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.api.problems import KNOWN, MEDIA_TYPE
from tests.server_fixtures import FakeServer, started_session

REFUSALS = {"bad_sdp", "not_acceptable", "invalid_request", "too_large", "at_capacity"}
CREATED = {200, 201}
NUMBERS = ("0", "-1", "65536", "4294967296", "9" * 400, "x", "", "\u00e9", "1e9")


async def real_offer() -> str:
    """What aiortc sends to watch and to speak."""
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    connection.addTransceiver("video", direction="recvonly")
    connection.addTransceiver("audio", direction="sendrecv")
    await connection.setLocalDescription(await connection.createOffer())
    sdp: str = connection.localDescription.sdp
    await connection.close()
    return sdp


def damaged(sdp: str, seed: int, wounds: int) -> str:
    """The description with lines lost, doubled, moved, cut and filled with other numbers."""
    chance = random.Random(seed)
    lines = sdp.split("\r\n")
    for _ in range(wounds):
        at = chance.randrange(len(lines))
        match chance.randrange(7):
            case 0:
                del lines[at]
            case 1:
                lines[at:at] = [lines[at]] * chance.choice([1, 3, 200])
            case 2:
                lines.insert(chance.randrange(len(lines)), lines.pop(at))
            case 3:
                lines[at] = lines[at][: chance.randrange(len(lines[at]) + 1)]
            case 4:
                words = lines[at].split(" ")
                words[chance.randrange(len(words))] = chance.choice(NUMBERS)
                lines[at] = " ".join(words)
            case 5:
                lines[at] = lines[at].replace(":", chance.choice(["", "::", " "]), 1)
            case 6:
                lines = lines[: max(1, at)]
        lines = lines or [""]
    return "\r\n".join(lines)


def check(answer: httpx.Response) -> None:
    if answer.status_code in CREATED:
        return
    assert answer.headers["content-type"] == MEDIA_TYPE, answer.text
    problem = answer.json()
    assert problem["code"] in REFUSALS, problem
    assert KNOWN[problem["code"]][0] == answer.status_code


@pytest.mark.parametrize("endpoint", ["offer", "whep", "whip"])
def test_a_damaged_offer_is_answered_or_refused(fake_server: FakeServer, endpoint: str) -> None:
    offer = asyncio.run(real_offer())

    @settings(
        max_examples=12,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(seed=st.integers(0, 2**32), wounds=st.integers(1, 6))
    def send(seed: int, wounds: int) -> None:
        asyncio.run(exchange(fake_server, endpoint, damaged(offer, seed, wounds)))

    send()


async def exchange(server: FakeServer, endpoint: str, sdp: str) -> None:
    """Send it to a session of its own, which must be there afterwards."""
    headers = {"Content-Type": "application/sdp"}
    async with started_session(server) as (client, session):
        if endpoint == "offer":
            body = {"sdp": sdp, "type": "offer"}
            check(await client.post(session["urls"]["offer"], json=body))
        elif endpoint == "whep":
            check(await client.post(session["urls"]["whep"], content=sdp, headers=headers))
        else:
            answer = await client.post("/v1/whip?avatar_id=anna", content=sdp, headers=headers)
            check(answer)
            if answer.status_code in CREATED:
                await client.delete(answer.headers["location"])
        state: dict[str, Any] = (await client.get(f"/v1/sessions/{session['id']}")).json()
        assert state["id"] == session["id"]


async def test_the_offer_itself_is_answered(fake_server: FakeServer) -> None:
    """Otherwise the refusals above would prove nothing."""
    async with started_session(fake_server) as (client, session):
        body = {"sdp": await real_offer(), "type": "offer"}
        assert (await client.post(session["urls"]["offer"], json=body)).status_code == 200
