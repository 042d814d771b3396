"""WHEP (draft-ietf-wish-whep) with aiortc peers: statuses, headers, trickle ICE, many viewers."""

import asyncio

import httpx
import pytest
from aiortc import RTCSessionDescription
from aiortc.sdp import SessionDescription, candidate_to_sdp
from pydantic import AnyHttpUrl

from tests.server_fixtures import (
    FakeServer,
    Watcher,
    started_session,
    watching,
)
from tests.test_server_api import check_problem
from tests.test_server_peer import numbers
from tests.whep_watching import FRAGMENT, SDP, watching_offer, watching_peer, whep

OTHER_SERVER = "https://other.example.org"


def fragment_of(offer: str, *lines: str) -> str:
    """A fragment of the offer's own ICE session."""
    first = SessionDescription.parse(offer).media[0]
    head = [f"a=ice-ufrag:{first.ice.usernameFragment}", f"a=ice-pwd:{first.ice.password}"]
    section = [f"m={first.kind} 9 UDP/TLS/RTP/SAVPF 0", f"a=mid:{first.rtp.muxId}"]
    return "".join(f"{line}\r\n" for line in [*head, *section, *lines])


def without_candidates(offer: str) -> str:
    kept = [
        line
        for line in offer.splitlines()
        if not line.startswith(("a=candidate", "a=end-of-candidates"))
    ]
    return "\r\n".join([*kept, ""])


async def test_viewers_see_the_same_pictures_at_the_same_times(fake_server: FakeServer) -> None:
    async with started_session(fake_server) as (client, session):
        endpoint = session["urls"]["whep"]
        async with (
            watching(client, session) as talker,
            whep(client, endpoint) as first,
            whep(client, endpoint) as second,
        ):
            watchers = [talker, first.watcher, second.watcher]
            await asyncio.gather(*(watcher.until(pictures=40) for watcher in watchers))
            described = (await client.get(f"/v1/sessions/{session['id']}")).json()
    seen = [set(numbers(watcher)) for watcher in watchers]
    assert len(seen[0] & seen[1] & seen[2]) > 20
    assert described["connected"] is True
    assert described["stats"]["viewers"] == 2


async def test_the_answer_is_as_the_draft_asks(fake_server: FakeServer) -> None:
    async with started_session(fake_server) as (client, session):
        async with whep(client, session["urls"]["whep"]) as exchange:
            headers = exchange.created.headers
            sections = SessionDescription.parse(exchange.created.text).media
        assert headers["content-type"].partition(";")[0] == "application/sdp"
        assert headers["location"].startswith(session["urls"]["whep"] + "/")
        assert headers["etag"].startswith('"')
        assert headers["accept-patch"] == "application/trickle-ice-sdpfrag"
        assert [section.direction for section in sections] == ["sendonly", "sendonly"]
        assert all(section.ice_candidates for section in sections)
        assert "a=ice-options:trickle" in exchange.created.text
        assert exchange.created.text.count("a=rtcp-mux-only") == 2


async def test_what_a_viewer_sends_is_not_taken(fake_server: FakeServer) -> None:
    offer = (await watching_offer()).replace("a=recvonly", "a=sendrecv")
    async with started_session(fake_server) as (client, session):
        answer = await client.post(session["urls"]["whep"], content=offer, headers=SDP)
    directions = [section.direction for section in SessionDescription.parse(answer.text).media]
    assert directions == ["sendonly", "sendonly"]


async def test_candidates_may_come_after_the_offer(fake_server: FakeServer) -> None:
    watcher = await watching_peer()
    offer = watcher.connection.localDescription.sdp
    candidates = SessionDescription.parse(offer).media[0].ice_candidates
    lines = [f"a=candidate:{candidate_to_sdp(candidate)}" for candidate in candidates]
    async with started_session(fake_server) as (client, session):
        created = await client.post(
            session["urls"]["whep"], content=without_candidates(offer), headers=SDP
        )
        for content in (
            fragment_of(offer, "a=candidate:1 1 tcp 15180 192.0.2.1 9 typ host tcptype active"),
            fragment_of(offer, *lines),
            fragment_of(offer, "a=end-of-candidates"),
            fragment_of(offer, "a=candidate:9 1 udp 1 192.0.2.77 9 typ host"),  # after the end
        ):
            answer = await client.patch(
                created.headers["location"],
                content=content,
                headers=FRAGMENT | {"if-match": created.headers["etag"]},
            )
            assert (answer.status_code, answer.content) == (204, b"")
            assert "etag" not in answer.headers
        await _play(watcher, created)


async def _play(watcher: Watcher, created: httpx.Response) -> None:
    description = RTCSessionDescription(created.text, "answer")
    await watcher.connection.setRemoteDescription(description)
    try:
        await watcher.until(pictures=5)
    finally:
        await watcher.close()


async def test_patches_name_their_ice_session(fake_server: FakeServer) -> None:
    offer = await watching_offer()
    async with started_session(fake_server) as (client, session):
        created = await client.post(session["urls"]["whep"], content=offer, headers=SDP)
        where, tag = created.headers["location"], created.headers["etag"]
        trickle = fragment_of(offer, "a=end-of-candidates")

        async def patch(content: str, **headers: str) -> httpx.Response:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return await client.patch(where, content=content, headers=FRAGMENT | named)

        check_problem(await patch(trickle), 428, "precondition_required")
        check_problem(await patch(trickle, if_match='"other"'), 412, "precondition_failed")
        assert (await patch(trickle, if_match=f'"other", {tag}')).status_code == 204
        assert (await patch(trickle, if_match="*")).status_code == 204
        check_problem(
            await patch(trickle, if_match=tag, content_type="application/sdp"),
            415,
            "unsupported_media_type",
        )
        for damaged in ("", "hello", "a=candidate:oops\r\n", "a=ice-ufrag:abcd\r\n"):
            check_problem(await patch(damaged, if_match=tag), 422, "bad_sdp")
        # the peer is gone, so there is no path that a restart could replace
        restart = "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n"
        check_problem(await patch(restart, if_match="*"), 409, "conflict")
        ended = await client.delete(where, headers={"if-match": '"whatever"'})
        assert (ended.status_code, ended.content) == (200, b"")
        check_problem(await patch(trickle, if_match=tag), 404, "not_found")
        assert (await client.delete(where)).status_code == 200  # gone already
        check_problem(await client.delete(f"{where}x"), 404, "not_found")


async def test_a_restart_that_leads_nowhere_harms_nothing(fake_server: FakeServer) -> None:
    names = "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n"
    async with (
        started_session(fake_server) as (client, session),
        whep(client, session["urls"]["whep"]) as exchange,
    ):
        watcher = exchange.watcher
        await watcher.until(pictures=5)
        for tag in ("*", "*"):  # the second gives up the first
            restarted = await client.patch(
                exchange.location, content=names, headers=FRAGMENT | {"if-match": tag}
            )
            names = names.replace("abcd", "efgh")
            assert restarted.status_code == 200
            assert restarted.headers["content-type"] == FRAGMENT["content-type"]
            assert restarted.text.count("a=ice-ufrag:") == 1
            assert "a=candidate:" in restarted.text
        end = "a=end-of-candidates\r\n"
        new_tag = {"if-match": restarted.headers["etag"]}
        late = await client.patch(
            exchange.location, content=end, headers=FRAGMENT | {"if-match": exchange.tag}
        )
        check_problem(late, 412, "precondition_failed")
        current = await client.patch(exchange.location, content=end, headers=FRAGMENT | new_tag)
        assert current.status_code == 204
        await watcher.until(pictures=len(watcher.pictures) + 25)


@pytest.mark.parametrize(
    ("before", "after", "status", "code"),
    [
        ("a=recvonly", "a=sendonly", 406, "not_acceptable"),
        ("a=recvonly", "a=inactive", 406, "not_acceptable"),
        ("VP8/90000", "AV1/90000", 406, "not_acceptable"),
        ("v=0", "hello", 422, "bad_sdp"),
        ("a=ice-pwd", "a=ice-word", 422, "bad_sdp"),
        ("a=fingerprint", "a=finger", 422, "bad_sdp"),
        ("a=rtcp-mux", "a=rtcp", 422, "bad_sdp"),
        ("m=audio", "m=text", 422, "bad_sdp"),
    ],
)
async def test_offers_that_cannot_be_served(
    fake_server: FakeServer, before: str, after: str, status: int, code: str
) -> None:
    offer = (await watching_offer()).replace("H264", "H265").replace(before, after)
    async with started_session(fake_server) as (client, session):
        answer = await client.post(session["urls"]["whep"], content=offer, headers=SDP)
        check_problem(answer, status, code)
        live = fake_server.app.state.context.sessions.get(session["id"])
        assert live.connections._viewers == {}


async def test_other_bodies_and_methods(fake_server: FakeServer) -> None:
    async with started_session(fake_server) as (client, session):
        endpoint = session["urls"]["whep"]
        check_problem(await client.post(endpoint, json={}), 415, "unsupported_media_type")
        check_problem(await client.post(endpoint, content=b"\xff", headers=SDP), 422, "bad_sdp")
        check_problem(await client.put(endpoint), 405, "method_not_allowed")
        for answer in (await client.get(endpoint), await client.head(endpoint)):
            assert (answer.status_code, answer.content) == (204, b"")
        check_problem(await client.get(f"{endpoint}/c_none"), 404, "not_found")
        async with whep(client, endpoint) as exchange:
            assert (await client.get(exchange.location)).status_code == 204
            for method in ("POST", "PUT"):
                refused = await client.request(method, exchange.location)
                check_problem(refused, 405, "method_not_allowed")


async def test_options_need_no_key_and_the_rest_does(fake_server: FakeServer) -> None:
    async with started_session(fake_server) as (_, session), fake_server.client(key="") as nobody:
        endpoint = session["urls"]["whep"]
        offered = await nobody.options(endpoint)
        assert (offered.status_code, offered.headers["accept-post"]) == (200, "application/sdp")
        resource = await nobody.options(f"{endpoint}/c_any")
        assert resource.headers["accept-patch"] == "application/trickle-ice-sdpfrag"
        for method in ("POST", "GET"):
            check_problem(await nobody.request(method, endpoint), 401, "unauthorized")
        token = {"authorization": f"Bearer {session['token']}"}
        assert (await nobody.get(endpoint, headers=token)).status_code == 204


async def test_a_viewer_who_leaves_is_not_the_end_while_others_watch(
    fake_server: FakeServer,
) -> None:
    async with started_session(fake_server) as (client, session), watching(client, session) as own:
        async with whep(client, session["urls"]["whep"]) as exchange:
            await exchange.watcher.until(pictures=5)
        await own.until(pictures=len(own.pictures) + 40)  # longer than the grace for lost clients
        assert (await client.get(f"/v1/sessions/{session['id']}")).status_code == 200


async def test_one_viewer_too_many(
    fake_server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fake_server.app.state.context.settings.webrtc, "max_viewers", 1)
    offer = await watching_offer()
    async with started_session(fake_server) as (client, session):
        endpoint = session["urls"]["whep"]
        async with whep(client, endpoint):
            refused = await client.post(endpoint, content=offer, headers=SDP)
            check_problem(refused, 503, "at_capacity")
            assert int(refused.headers["retry-after"]) > 0
        async with whep(client, endpoint) as exchange:  # the place is free again
            await exchange.watcher.until(pictures=2)


async def test_a_full_server_names_another(
    fake_server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = fake_server.app.state.context.settings.webrtc
    monkeypatch.setattr(settings, "max_viewers", 0)
    monkeypatch.setattr(settings, "redirect_to", AnyHttpUrl(OTHER_SERVER))
    offer = await watching_offer()
    async with started_session(fake_server) as (client, session):
        path = session["urls"]["whep"]
        answer = await client.post(f"{path}?a=b", content=offer, headers=SDP)
    assert (answer.status_code, answer.headers["location"]) == (307, f"{OTHER_SERVER}{path}?a=b")
