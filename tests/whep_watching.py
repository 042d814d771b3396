"""aiortc peers that speak WHEP and WHIP as their specifications say."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack

from tests.server_fixtures import Watcher

SDP = {"content-type": "application/sdp"}
FRAGMENT = {"content-type": "application/trickle-ice-sdpfrag"}


@dataclass
class Exchange:
    """A peer whose offer was answered with 201, and that answer."""

    watcher: Watcher
    created: httpx.Response

    @property
    def location(self) -> str:
        return self.created.headers["location"]

    @property
    def tag(self) -> str:
        return self.created.headers["etag"]


async def watching_peer(configuration: RTCConfiguration | None = None) -> Watcher:
    """Its offer wants picture and sound."""
    connection = RTCPeerConnection(configuration or RTCConfiguration(iceServers=[]))
    watcher = Watcher(connection)
    connection.on("track", watcher.take)
    for kind in ("video", "audio"):
        connection.addTransceiver(kind, direction="recvonly")
    await connection.setLocalDescription(await connection.createOffer())
    return watcher


async def watching_offer() -> str:
    """An offer of a peer that is gone."""
    watcher = await watching_peer()
    sdp: str = watcher.connection.localDescription.sdp
    await watcher.connection.close()
    return sdp


@contextlib.asynccontextmanager
async def whep(
    client: httpx.AsyncClient, endpoint: str, configuration: RTCConfiguration | None = None
) -> AsyncIterator[Exchange]:
    """Watch; leaves with DELETE."""
    watcher = await watching_peer(configuration)
    async with _exchanged(client, endpoint, watcher) as exchange:
        yield exchange


@contextlib.asynccontextmanager
async def whip(
    client: httpx.AsyncClient, endpoint: str, microphone: MediaStreamTrack
) -> AsyncIterator[Exchange]:
    """Publish a voice; leaves with DELETE."""
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    connection.addTransceiver(microphone, direction="sendonly")
    await connection.setLocalDescription(await connection.createOffer())
    async with _exchanged(client, endpoint, Watcher(connection)) as exchange:
        yield exchange


@contextlib.asynccontextmanager
async def _exchanged(
    client: httpx.AsyncClient, endpoint: str, watcher: Watcher
) -> AsyncIterator[Exchange]:
    connection = watcher.connection
    try:
        offer = connection.localDescription.sdp
        created = await client.post(endpoint, content=offer, headers=SDP)
        assert created.status_code == 201, created.text
        await connection.setRemoteDescription(RTCSessionDescription(created.text, "answer"))
        yield Exchange(watcher, created)
        await client.delete(created.headers["location"])
    finally:
        await watcher.close()
