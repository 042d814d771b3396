"""A session whose packets all go through coturn, with credentials that the server hands out."""

import asyncio
import shutil
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiortc import RTCConfiguration, RTCIceServer, RTCIceTransportPolicy, RTCPeerConnection

from server.config.webrtc import IceServer, TurnSettings, WebRtcSettings
from server.webrtc.ice_servers import ice_servers_for, turn_server
from tests.server_fixtures import FakeServer, started_session
from tests.whep_watching import SDP, watching_offer, whep

SECRET = "a-secret-for-tests"
RELAY_ONLY = RTCIceTransportPolicy.RELAY


def settings(*urls: str, lifetime_s: int = 600) -> TurnSettings:
    return TurnSettings.model_validate(
        {"urls": list(urls), "shared_secret": SECRET, "lifetime_s": lifetime_s}
    )


def test_credentials_follow_coturns_convention() -> None:
    server = turn_server(settings("turn:turn.example.org:3478"), "s_1", now_s=1_700_000_000.9)
    # printf 1700000600:s_1 | openssl dgst -sha1 -hmac a-secret-for-tests -binary | base64
    assert (server.username, server.credential) == (
        "1700000600:s_1",
        "+hQzvFAHT+ay+dL9tltH4PANotA=",
    )


def test_other_servers_come_first() -> None:
    stun = IceServer(urls=["stun:stun.example.org"])
    turn = settings("turn:turn.example.org")
    servers = ice_servers_for(WebRtcSettings(ice_servers=[stun], turn=turn), "s_1", 0.0)
    assert [server.urls for server in servers] == [stun.urls, turn.urls]
    assert ice_servers_for(WebRtcSettings(ice_servers=[stun]), "s_1", 0.0) == [stun]


@pytest.mark.parametrize("url", ["stun:a.example.org", "a.example.org", "turn:", "turn:a?x=y"])
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(ValueError, match="no address of an ICE server"):
        settings(url)


def test_the_secret_does_not_show() -> None:
    assert SECRET not in repr(WebRtcSettings(turn=settings("turn:turn.example.org")))


@dataclass
class Coturn:
    """A TURN server on this machine; ``log`` grows while it runs."""

    port: int
    log: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"turn:127.0.0.1:{self.port}"

    async def read(self, stream: asyncio.StreamReader) -> None:
        async for line in stream:
            self.log.append(line.decode(errors="replace"))

    def said(self, text: str) -> list[str]:
        return [line for line in self.log if text in line]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
async def coturn(tmp_path: Path) -> AsyncIterator[Coturn]:
    program = shutil.which("turnserver")
    if program is None:
        pytest.skip("coturn is missing (Debian: apt-get install coturn)")
    turn = Coturn(free_port())
    process = await asyncio.create_subprocess_exec(
        program,
        *("-n", "--no-cli", "--no-tls", "--no-dtls", "--verbose", "--log-file=stdout"),
        *("--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", f"--listening-port={turn.port}"),
        *("--use-auth-secret", f"--static-auth-secret={SECRET}", "--realm=visavis"),
        *("--allow-loopback-peers", f"--pidfile={tmp_path / 'pid'}", f"--userdb={tmp_path / 'db'}"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    reading = asyncio.create_task(turn.read(process.stdout))
    try:
        async with asyncio.timeout(20):
            while not turn.said("UDP listener opened on"):
                assert process.returncode is None, turn.log
                await asyncio.sleep(0.05)
        yield turn
    finally:
        process.terminate()
        await process.wait()
        await reading


def relay_only(servers: list[dict[str, Any]]) -> RTCConfiguration:
    return RTCConfiguration(
        iceServers=[RTCIceServer(**server) for server in servers], iceTransportPolicy=RELAY_ONLY
    )


async def relay_candidates(server: IceServer) -> int:
    connection = RTCPeerConnection(relay_only([server.model_dump()]))
    connection.addTransceiver("video", direction="recvonly")
    await connection.setLocalDescription(await connection.createOffer())
    count: int = connection.localDescription.sdp.count("typ relay")
    await connection.close()
    return count


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_session_through_the_relay_alone(
    fake_server: FakeServer, coturn: Coturn, monkeypatch: pytest.MonkeyPatch, transport: str
) -> None:
    turn = settings(f"{coturn.url}?transport={transport}")
    monkeypatch.setattr(fake_server.app.state.context.settings.webrtc, "turn", turn)
    async with started_session(fake_server) as (client, session):
        [given] = session["ice_servers"]
        expires, _, user = given["username"].partition(":")
        assert (user, given["urls"]) == (session["id"], turn.urls)
        async with whep(client, session["urls"]["whep"], relay_only([given])) as exchange:
            offer = exchange.watcher.connection.localDescription.sdp
            assert "typ relay" in offer
            assert "typ host" not in offer
            await exchange.watcher.until(pictures=30)
            live = fake_server.app.state.context.sessions.get(session["id"])
            [viewer] = live.connections._viewers.values()
            assert viewer.peer.relayed
            # the server hands credentials to those who have none, too
            [link] = exchange.created.headers.get_list("link")
    assert link.startswith(f'<{turn.urls[0]}>; rel="ice-server"; username="')
    assert link.endswith('credential-type="password"')
    # one allocation for the client, one for the server's own peer
    allocated = coturn.said("ALLOCATE processed, success")
    assert len([line for line in allocated if session["id"] in line]) >= 2
    assert int(expires) > 0


async def test_credentials_run_out(coturn: Coturn) -> None:
    turn = settings(coturn.url, lifetime_s=60)
    now_s = time.time()
    assert await relay_candidates(turn_server(turn, "s_1", now_s)) == 1
    assert await relay_candidates(turn_server(turn, "s_1", now_s - 3600)) == 0


async def test_without_turn_there_are_no_links(fake_server: FakeServer) -> None:
    async with started_session(fake_server) as (client, session):
        answer = await client.post(
            session["urls"]["whep"], content=await watching_offer(), headers=SDP
        )
        assert session["ice_servers"] == []
        assert "link" not in answer.headers
