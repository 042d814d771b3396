"""WHIP (RFC 9725) with aiortc peers: a voice opens a session, whose face is watched over WHEP."""

import contextlib
from typing import Any

import httpx
from aiortc import RTCConfiguration, RTCPeerConnection

from tests.fake_engine import read_level
from tests.server_fixtures import FakeServer, started_session
from tests.test_server_api import check_problem
from tests.test_server_peer import ToneMicrophone, heard
from tests.whep_watching import SDP, watching_offer, whep, whip


def watch_link(created: httpx.Response) -> tuple[str, str]:
    """Where the session that a WHIP client opened is watched, and the token for it."""
    [link] = [link for link in created.headers.get_list("link") if 'rel="urn:visavis:whep"' in link]
    path, _, rest = link.removeprefix("<").partition(">")
    return path, rest.partition('token="')[2].partition('"')[0]


async def test_a_voice_over_whip_is_watched_over_whep(fake_server: FakeServer) -> None:
    sessions = fake_server.app.state.context.sessions
    async with fake_server.client() as client, fake_server.client("") as other:
        async with whip(client, "/v1/whip?avatar_id=anna", ToneMicrophone()) as published:
            path, token = watch_link(published.created)
            other.headers["authorization"] = f"Bearer {token}"
            async with whep(other, path) as watched:
                await watched.watcher.until(pictures=80)
            session_id = published.location.rpartition("/")[2]
            assert (await other.get(f"/v1/sessions/{session_id}")).json()["voice_in"] == "mic"
            # nobody may take the voice's place
            offer = {"sdp": await watching_offer(), "type": "offer"}
            refused = await other.post(f"/v1/sessions/{session_id}/offer", json=offer)
            check_problem(refused, 409, "conflict")
        check_problem(await client.delete(published.location), 404, "not_found")
    assert np_peak(heard(watched.watcher)) > 5000
    levels = [read_level(frame.to_ndarray(format="rgb24")) for frame in watched.watcher.pictures]
    assert max(levels) > 150  # the face speaks, and rests between the tones
    assert min(levels[20:]) < 40
    assert session_id not in {live.session_id for live in sessions.all()}


def np_peak(sound: Any) -> int:
    return int(abs(sound.astype(int)).max())


async def test_whip_refuses_what_it_cannot_take(fake_server: FakeServer) -> None:
    sessions = fake_server.app.state.context.sessions
    offer = await watching_offer()
    async with fake_server.client() as client:
        before = len(sessions.all())
        endpoint = "/v1/whip?avatar_id=anna"
        refused = await client.post(endpoint, content=offer, headers=SDP)
        check_problem(refused, 406, "not_acceptable")  # it only listens
        check_problem(await client.post(endpoint, json={}), 415, "unsupported_media_type")
        check_problem(await client.post(endpoint, content="hello", headers=SDP), 422, "bad_sdp")
        nobody = await client.post("/v1/whip?avatar_id=nobody", content=offer, headers=SDP)
        check_problem(nobody, 404, "not_found")
        unnamed = await client.post("/v1/whip", content=offer, headers=SDP)
        check_problem(unnamed, 422, "invalid_request")
        assert len(sessions.all()) == before
        assert (await client.get("/v1/whip")).status_code == 204
        assert (await client.options("/v1/whip")).headers["accept-post"] == "application/sdp"
        check_problem(await client.put("/v1/whip"), 405, "method_not_allowed")
    async with fake_server.client("") as nobody_known:
        answer = await nobody_known.post(endpoint, content=offer, headers=SDP)
        check_problem(answer, 401, "unauthorized")


async def test_a_full_server_takes_no_more_voices(fake_server: FakeServer) -> None:
    async with contextlib.AsyncExitStack() as sessions:
        for _ in range(3):
            client, _ = await sessions.enter_async_context(started_session(fake_server))
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        connection.addTransceiver(ToneMicrophone(), direction="sendonly")
        await connection.setLocalDescription(await connection.createOffer())
        offer = connection.localDescription.sdp
        refused = await client.post("/v1/whip?avatar_id=anna", content=offer, headers=SDP)
        await connection.close()
        check_problem(refused, 503, "at_capacity")
        assert int(refused.headers["retry-after"]) > 0
