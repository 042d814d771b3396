"""One WebRTC connection of a session: answers an offer, sends the face, takes the microphone."""

import asyncio
from collections.abc import Callable

import aioice.ice
import aiortc.codecs.h264
import aiortc.codecs.vpx
import structlog
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.sdp import SessionDescription

from models.errors import VisavisError
from models.shapes import PcmArray
from server.config.webrtc import IceServer, WebRtcSettings
from server.webrtc.microphone import drain, read_microphone
from server.webrtc.pacing import TrackPair

log = structlog.get_logger(__name__)

MAX_SDP_CHARS = 200_000


class BadSdpError(VisavisError):
    """The session description is none, or offers nothing that can be answered."""

    code = "bad_sdp"


def tune_webrtc(settings: WebRtcSettings) -> None:
    """Set what aiortc and aioice keep as module constants; before the first connection."""
    codecs = aiortc.codecs
    for codec in (codecs.vpx, codecs.h264):
        codec.DEFAULT_BITRATE = settings.video_bitrate
        codec.MAX_BITRATE = settings.max_video_bitrate
    # a client that is gone is noticed within about four seconds, not thirty
    aioice.ice.CONSENT_INTERVAL = 1
    aioice.ice.CONSENT_FAILURES = 4


class Peer:
    """``on_connected`` and ``on_lost`` are each called at most once."""

    def __init__(
        self,
        tracks: TrackPair,
        ice_servers: list[IceServer],
        on_voice: Callable[[PcmArray], None] | None,
    ) -> None:
        self.tracks = tracks
        self.on_connected: Callable[[], None] = lambda: None
        self.on_lost: Callable[[], None] = lambda: None
        self._on_voice = on_voice
        self._readers: set[asyncio.Task[None]] = set()
        self._state = "new"
        servers = [
            RTCIceServer(urls=s.urls, username=s.username, credential=s.credential)
            for s in ice_servers
        ]
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=servers))
        self._connection.on("track", self._take_track)
        self._connection.on("connectionstatechange", self._state_changed)

    @property
    def connected(self) -> bool:
        """Media flows."""
        return self._state == "connected"

    async def answer(self, offer_sdp: str) -> str:
        """The answer to an offer, with all candidates. Raises BadSdpError."""
        check_offer(offer_sdp)
        try:
            await self._connection.setRemoteDescription(RTCSessionDescription(offer_sdp, "offer"))
            self._connection.addTrack(self.tracks.video)
            self._connection.addTrack(self.tracks.audio)
            await self._connection.setLocalDescription(await self._connection.createAnswer())
        except Exception as error:  # aiortc raises whatever it trips over
            await self.close()
            raise BadSdpError(f"the offer cannot be answered: {error}") from error
        sdp: str = self._connection.localDescription.sdp
        return sdp

    async def close(self) -> None:
        """Hang up."""
        self._state = "closed"
        for reader in self._readers:
            reader.cancel()
        await self._connection.close()

    def _take_track(self, track: MediaStreamTrack) -> None:
        if track.kind == "audio" and self._on_voice is not None:
            work = read_microphone(track, self._on_voice)
        else:
            work = drain(track)
        task = asyncio.get_running_loop().create_task(work)
        self._readers.add(task)
        task.add_done_callback(self._readers.discard)

    def _state_changed(self) -> None:
        if self._state == "closed":
            return
        before, self._state = self._state, self._connection.connectionState
        if self._state == "connected" and before != "connected":
            self.on_connected()
        elif self._state in ("failed", "closed"):
            self._state = "closed"
            self.on_lost()


def check_offer(sdp: str) -> None:
    """Raises BadSdpError for what is no session description at all."""
    if len(sdp) > MAX_SDP_CHARS:
        raise BadSdpError(f"the offer has {len(sdp)} characters; accepted: {MAX_SDP_CHARS}")
    if not sdp.startswith("v=0"):
        raise BadSdpError("the offer is no session description: it does not begin with v=0")
    try:
        media = SessionDescription.parse(sdp).media
    except Exception as error:  # the parser fails in as many ways as there are bad offers
        raise BadSdpError(f"the offer is a damaged session description: {error}") from error
    video = [section for section in media if section.kind == "video"]
    if not any(section.direction in ("recvonly", "sendrecv") for section in video):
        raise BadSdpError("the offer must have a video section that wants to receive")
