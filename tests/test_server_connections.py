"""Connections that break, come back, are replaced and go: the session and its clock live on."""

import asyncio
import contextlib
import os
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from tests.fake_engine import read_frame_number
from tests.rsa_certificate import RsaCertificate
from tests.server_fixtures import FakeServer, Watcher, started_session, watching
from tests.test_server_api import check_problem
from tests.test_server_peer import numbers
from tests.whep_watching import SDP, watching_offer, whep

STALL_S = 3.0
_OF_CONNECTIONS = ("RTC", "Connection", "Peer", "read_microphone", "drain", "RestartableIce")


def live_session(server: FakeServer, session: dict[str, Any]) -> Any:
    return server.app.state.context.sessions.get(session["id"])


def loop_of(server: FakeServer) -> asyncio.AbstractEventLoop:
    """The server runs in another thread."""
    watch: asyncio.Task[None] = next(iter(server.app.state.context.sessions._tasks))
    return watch.get_loop()


async def test_a_new_offer_goes_on_at_the_same_clock(fake_server: FakeServer) -> None:
    async with (
        started_session(fake_server) as (client, session),
        watching(client, session) as first,
    ):
        await first.until(pictures=20)
        async with watching(client, session) as second:
            await second.until(pictures=20)
            before, after = numbers(first), numbers(second)
    # the second begins where the first was when it connected, not at the beginning
    assert before[10] < after[0]
    assert after[-1] > before[-1]


def latest(watcher: Watcher) -> int:
    return read_frame_number(watcher.pictures[-1].to_ndarray(format="rgb24"))


@contextlib.asynccontextmanager
async def stalled(connection: RTCPeerConnection) -> AsyncIterator[None]:
    """The client's network loses every packet, both ways."""

    class Nowhere:
        def sendto(self, *_: Any) -> None: ...

    ice = connection.getTransceivers()[0].receiver.transport.transport._connection
    protocols = list(ice._protocols)
    transports = [protocol.transport for protocol in protocols]
    for protocol in protocols:
        protocol.transport = Nowhere()
        protocol.datagram_received = lambda *_: None
    try:
        yield
    finally:
        for protocol, transport in zip(protocols, transports, strict=True):
            protocol.transport = transport
            del protocol.datagram_received


async def test_a_network_that_stalls_for_three_seconds(fake_server: FakeServer) -> None:
    async with (
        started_session(fake_server) as (client, session),
        watching(client, session) as watcher,
    ):
        await watcher.until(pictures=10)
        connection = live_session(fake_server, session).connections
        async with stalled(watcher.connection):
            await asyncio.sleep(STALL_S)
            before = latest(watcher)
            assert connection.connected
        async with asyncio.timeout(20):  # the clock did not wait: pictures of now come
            while latest(watcher) < before + 25 * STALL_S + 10:
                await watcher.until(pictures=len(watcher.pictures) + 1)
        assert connection.lost_for_s() == 0


def held(server: FakeServer) -> Counter[str]:
    """Tasks of connections in the server's loop, and UDP sockets of this process."""
    tasks: list[Any] = list(asyncio.all_tasks(loop_of(server)))
    names = [task.get_coro().__qualname__ for task in tasks if not task.done()]
    of_connections = Counter(name for name in names if name.startswith(_OF_CONNECTIONS))
    return of_connections + Counter({"UDP sockets": udp_sockets()})


async def settled(server: FakeServer) -> Counter[str]:
    """What is held once nothing has come or gone for a second: earlier connections still end."""
    before, same = held(server), 0
    for _ in range(200):
        await asyncio.sleep(0.1)
        now = held(server)
        same = same + 1 if now == before else 0
        before = now
        if same == 10:
            break
    return before


def udp_sockets() -> int:
    """Linux lists them by their inode, the tenth field."""
    tables = [Path(f"/proc/net/{name}").read_text().splitlines()[1:] for name in ("udp", "udp6")]
    inodes = {f"socket:[{line.split()[9]}]" for table in tables for line in table}
    count = 0
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the listing's own is gone by now
            count += os.readlink(f"/proc/self/fd/{number}") in inodes
    return count


async def test_a_dozen_connections_leave_nothing_behind(fake_server: FakeServer) -> None:
    async with (
        started_session(fake_server) as (client, session),
        watching(client, session) as own,
    ):
        await own.until(pictures=20)
        live = live_session(fake_server, session)
        endpoint = session["urls"]["whep"]
        at_first = await settled(fake_server)
        for turn in range(12):
            match turn % 3:
                case 0:  # goodbye, and then gone
                    async with whep(client, endpoint) as exchange:
                        await exchange.watcher.until(pictures=2)
                case 1:  # gone before the connection is up
                    async with whep(client, endpoint):
                        pass
                case 2:  # an offer of somebody who never comes
                    created = await client.post(
                        endpoint, content=await watching_offer(), headers=SDP
                    )
                    await client.delete(created.headers["location"])
        assert live.connections._viewers == {}
        assert await settled(fake_server) == at_first


async def test_viewers_who_never_come_lose_their_place(fake_server: FakeServer) -> None:
    async with started_session(fake_server) as (client, session):
        offer = await watching_offer()
        created = await client.post(session["urls"]["whep"], content=offer, headers=SDP)
        connections = live_session(fake_server, session).connections
        dropping = asyncio.run_coroutine_threadsafe(_dropped(connections), loop_of(fake_server))
        assert await asyncio.wrap_future(dropping) == 0
        check = await client.get(created.headers["location"])
        check_problem(check, 404, "not_found")


async def _dropped(connections: Any) -> int:
    connections.drop_unconnected(limit_s=60.0)
    assert len(connections._viewers) == 1
    connections.drop_unconnected(limit_s=0.0)
    return len(connections._viewers)


async def test_a_peer_with_an_rsa_certificate(fake_server: FakeServer) -> None:
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    connection._RTCPeerConnection__certificates = [RsaCertificate()]
    watcher = Watcher(connection)
    connection.on("track", watcher.take)
    connection.addTransceiver("video", direction="recvonly")
    await connection.setLocalDescription(await connection.createOffer())
    try:
        async with started_session(fake_server) as (client, session):
            offer = connection.localDescription.sdp
            created = await client.post(session["urls"]["whep"], content=offer, headers=SDP)
            answer = RTCSessionDescription(created.text, "answer")
            await connection.setRemoteDescription(answer)
            await watcher.until(pictures=5)
            chosen = connection.getTransceivers()[0].receiver.transport._ssl
            assert chosen.get_cipher_name() == "ECDHE-RSA-AES128-GCM-SHA256"
    finally:
        await watcher.close()
