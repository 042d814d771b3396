"""Encoded once, decoded by real WebRTC peers: the codec each prefers, late viewers, losses."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.rtp import RtpPacket
from aiortc.sdp import SessionDescription

from tests.fake_engine import read_frame_number
from tests.server_fixtures import FakeServer, Watcher, started_session
from tests.whep_watching import SDP

LOST_PACKETS = 12


def preferring(kind: str, *names: str) -> list[Any]:
    """What a client offers, in its order."""
    known = RTCRtpSender.getCapabilities(kind).codecs
    return [c for name in names for c in known if c.mimeType.lower() == f"{kind}/{name}".lower()]


@contextlib.asynccontextmanager
async def whep_peer(
    client: httpx.AsyncClient,
    session: dict[str, Any],
    video: tuple[str, ...] = ("VP8", "H264"),
    audio: tuple[str, ...] = ("opus",),
) -> AsyncIterator[tuple[Watcher, str]]:
    """A viewer with codecs in its own order, and the answer that it got."""
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    watcher = Watcher(connection)
    connection.on("track", watcher.take)
    for kind, names in (("video", video), ("audio", audio)):
        transceiver = connection.addTransceiver(kind, direction="recvonly")
        transceiver.setCodecPreferences(preferring(kind, *names))
    await connection.setLocalDescription(await connection.createOffer())
    offer = connection.localDescription.sdp
    created = await client.post(session["urls"]["whep"], content=offer, headers=SDP)
    assert created.status_code == 201, created.text
    await connection.setRemoteDescription(RTCSessionDescription(created.text, "answer"))
    try:
        yield watcher, created.text
    finally:
        await connection.close()
        await asyncio.gather(*watcher.tasks)


def answered_codec(sdp: str, kind: str) -> tuple[str, dict[str, Any]]:
    (media,) = [m for m in SessionDescription.parse(sdp).media if m.kind == kind]
    return media.rtp.codecs[0].name, dict(media.rtp.codecs[0].parameters)


def numbers(watcher: Watcher) -> list[int]:
    return [read_frame_number(frame.to_ndarray(format="rgb24")) for frame in watcher.pictures]


def streams_of(server: FakeServer, session: dict[str, Any]) -> Any:
    """The session's encoders, for looking only."""
    return server.app.state.context.sessions.get(session["id"]).clock.video._streams


async def test_each_client_gets_the_codec_it_prefers(fake_server: FakeServer) -> None:
    async with (
        started_session(fake_server) as (client, session),
        whep_peer(client, session, ("VP8", "H264")) as (vp8, vp8_answer),
        whep_peer(client, session, ("H264", "VP8")) as (h264, h264_answer),
    ):
        await vp8.until(pictures=25)
        await h264.until(pictures=25)
        assert set(streams_of(fake_server, session)) == {"VP8", "H264"}
    assert answered_codec(vp8_answer, "video")[0] == "VP8"
    name, parameters = answered_codec(h264_answer, "video")
    assert name == "H264"
    assert parameters["profile-level-id"] in ("42001f", "42e01f")
    assert parameters["packetization-mode"] in (1, "1")
    for watcher in (vp8, h264):
        seen = numbers(watcher)
        assert seen == sorted(seen)
        assert len(set(seen)) > 15


async def test_a_viewer_who_comes_late_sees_pictures_of_now(fake_server: FakeServer) -> None:
    async with (
        started_session(fake_server) as (client, session),
        whep_peer(client, session) as (first, _),
    ):
        await first.until(pictures=40)
        async with whep_peer(client, session) as (late, _):
            await late.until(pictures=10)
            assert len(streams_of(fake_server, session)) == 1
            assert len(streams_of(fake_server, session)["VP8"].viewers) == 2
    assert numbers(late)[0] >= 30
    assert numbers(late) == sorted(numbers(late))


@pytest.mark.parametrize("codec", ["VP8", "H264"])
async def test_lost_pictures_are_made_up_for(fake_server: FakeServer, codec: str) -> None:
    async with (
        started_session(fake_server) as (client, session),
        whep_peer(client, session, (codec,)) as (watcher, _),
    ):
        await watcher.until(pictures=20)
        receiver = next(
            t.receiver for t in watcher.connection.getTransceivers() if t.kind == "video"
        )
        usual = receiver._handle_rtp_packet
        lost: list[int] = []

        async def lossy(packet: RtpPacket, arrival_time_ms: int) -> None:
            if len(lost) < LOST_PACKETS:
                lost.append(packet.sequence_number)
                if len(lost) == LOST_PACKETS:
                    await receiver._send_rtcp_pli(packet.ssrc)
                return
            # without a gap in the numbers nothing is asked for again: only a key frame helps
            packet.sequence_number = (packet.sequence_number - LOST_PACKETS) % 65_536
            await usual(packet, arrival_time_ms)

        receiver._handle_rtp_packet = lossy
        before = numbers(watcher)[-1]
        await watcher.until(pictures=60)
        stream = streams_of(fake_server, session)[codec]
        assert stream._last_key > before
    seen = numbers(watcher)[-20:]
    assert seen == sorted(seen)
    assert seen[0] > before
    assert len(set(seen)) > 12


async def test_a_client_without_opus_hears_the_session_too(fake_server: FakeServer) -> None:
    async with (
        started_session(fake_server) as (client, session),
        whep_peer(client, session, audio=("PCMU",)) as (watcher, answer),
    ):
        await watcher.until(pictures=30)
    assert answered_codec(answer, "audio")[0] == "PCMU"
    assert len(watcher.sounds) > 20


async def test_stats_tell_what_encoding_takes(fake_server: FakeServer) -> None:
    async with (
        started_session(fake_server) as (client, session),
        whep_peer(client, session) as (watcher, _),
    ):
        await watcher.until(pictures=60)
        stats = (await client.get(f"/v1/sessions/{session['id']}")).json()["stats"]
        text = (await client.get("/metrics")).text
    assert stats["encode_ms"] > 0
    assert stats["tick_late_ms"] >= 0
    assert "visavis_encode_seconds_bucket" in text
