"""One WebRTC connection: answers an offer, sends the face, takes a voice."""

import asyncio
from collections.abc import Awaitable, Callable

import aioice.ice
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.exceptions import OperationError

from models.shapes import PcmArray
from server.config.webrtc import IceServer
from server.webrtc.dtls import accept_rsa_peers
from server.webrtc.feedback import follow_feedback, note_codecs
from server.webrtc.ice_fragment import IceFragment, fragment_text
from server.webrtc.ice_restart import RestartableIce
from server.webrtc.jitter import receive_promptly
from server.webrtc.microphone import drain, read_microphone
from server.webrtc.offers import BadSdpError, NotAcceptableError, check_watching, voice_of
from server.webrtc.pacing import TrackPair


def tune_webrtc() -> None:
    """Set what aiortc and aioice keep as module constants; before the first connection."""
    # a client that is gone is noticed within about six seconds, not thirty
    aioice.ice.CONSENT_INTERVAL = 1
    aioice.ice.CONSENT_FAILURES = 4
    accept_rsa_peers()


class Peer:
    """``on_connected`` and ``on_lost`` are each called at most once.

    With ``tracks`` it sends them, with ``on_voice`` it listens; without ``tracks`` it takes a
    voice alone and refuses whatever else is offered.
    """

    def __init__(
        self,
        tracks: TrackPair | None,
        ice_servers: list[IceServer],
        on_voice: Callable[[PcmArray], None] | None,
        *,
        only_sends: bool = False,
    ) -> None:
        self.tracks = tracks
        self.on_connected: Callable[[], None] = lambda: None
        self.on_lost: Callable[[], None] = lambda: None
        self._on_voice = on_voice
        self._only_sends = only_sends
        self._readers: set[asyncio.Task[None]] = set()
        self._state = "new"
        self._ice_servers = [
            RTCIceServer(urls=s.urls, username=s.username, credential=s.credential)
            for s in ice_servers
        ]
        self._ice: RestartableIce | None = None
        self._remote_name = ("", "")  # of the newest ICE session
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=self._ice_servers))
        self._connection.on("track", self._take_track)
        self._connection.on("connectionstatechange", self._state_changed)

    @property
    def connected(self) -> bool:
        """Media flows."""
        return self._state == "connected"

    @property
    def relayed(self) -> bool:
        """Media flows through a TURN server."""
        return self.connected and self._ice is not None and self._ice.relayed

    async def answer(self, offer_sdp: str) -> str:
        """The answer to an offer, with all candidates. Raises BadSdpError, NotAcceptableError."""
        if self.tracks is None:
            voice = voice_of(offer_sdp)
            return voice.answer_all(await self._answer(voice.sdp))
        check_watching(offer_sdp)
        return await self._answer(offer_sdp)

    async def take_fragment(self, fragment: IceFragment) -> str | None:
        """Further candidates, or an ICE restart: then the answering fragment.

        Raises RestartNotPossibleError.
        """
        assert self._ice is not None  # answered before
        if fragment.username is None or self._remote_name == (
            fragment.username,
            fragment.password,
        ):
            await self._ice.add(fragment)
            return None
        await self._ice.restart(fragment)
        self._remote_name = (fragment.username, fragment.password or "")
        first = self._connection.getTransceivers()[0]
        return fragment_text(
            self._ice.username, self._ice.password, first.kind, first.mid, self._ice.candidates
        )

    async def close(self) -> None:
        """Hang up."""
        self._state = "closed"
        for reader in self._readers:
            reader.cancel()
        if self._ice is not None:
            await self._ice.stop()
        self._forget_half_made()
        await self._connection.close()

    def _forget_half_made(self) -> None:
        """Sections that a refused offer left without a transport: aiortc's close stumbles over
        them, leaves the others open and never returns when it is called again."""
        made = self._connection._RTCPeerConnection__transceivers
        made[:] = [section for section in made if section.receiver.transport is not None]

    async def _answer(self, offer_sdp: str) -> str:
        connection = self._connection
        try:
            await connection.setRemoteDescription(RTCSessionDescription(offer_sdp, "offer"))
            self._prepare_sections()
            await connection.setLocalDescription(await connection.createAnswer())
        except OperationError as error:
            raise NotAcceptableError(
                "the offer has no codec in common with this server: VP8 or H264 (constrained"
                " baseline, packetization-mode=1), and Opus, G.722 or G.711"
            ) from error
        except Exception as error:  # aiortc raises whatever it trips over
            raise BadSdpError(f"the offer cannot be answered: {error}") from error
        sdp: str = connection.localDescription.sdp
        if self.tracks is not None:
            note_codecs(sdp, self.tracks.video, self.tracks.audio)
            follow_feedback(connection, self.tracks.video)
        return sdp

    def _prepare_sections(self) -> None:
        """Tracks into the sections that take them; from here on ICE can be restarted."""
        transceivers = self._connection.getTransceivers()
        kinds = {transceiver.kind for transceiver in transceivers}
        if self.tracks is not None:
            for track in (self.tracks.video, self.tracks.audio):
                if track.kind in kinds:
                    self._connection.addTrack(track)
        if self._only_sends:
            for transceiver in transceivers:
                sends = transceiver.sender.track is not None
                transceiver.direction = "sendonly" if sends else "inactive"
        for transceiver in self._connection.getTransceivers():
            sender, receiver = transceiver.sender, transceiver.receiver
            sender.send = self._unless_closed(sender.send)
            receiver.receive = self._unless_closed(receiver.receive)
        transport = transceivers[0].receiver.transport.transport
        self._ice = RestartableIce(
            transport, self._ice_servers, media_is_consent=self.tracks is None
        )
        offered = self._connection.remoteDescription.sdp
        self._remote_name = _ice_names(offered)

    def _unless_closed(
        self, begin: Callable[[object], Awaitable[None]]
    ) -> Callable[[object], Awaitable[None]]:
        """aiortc begins to send even after its close, when that came in between: for ever."""

        async def begin_unless_closed(parameters: object) -> None:
            if self._state != "closed":
                await begin(parameters)

        return begin_unless_closed

    def _take_track(self, track: MediaStreamTrack) -> None:
        if track.kind == "audio" and self._on_voice is not None:
            receivers = [t.receiver for t in self._connection.getTransceivers()]
            receive_promptly(next(r for r in receivers if r.track is track))
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


def _ice_names(sdp: str) -> tuple[str, str]:
    """User name and password of a description's first section."""
    found = {
        name: value
        for name, _, value in (line.partition(":") for line in reversed(sdp.splitlines()))
    }
    return found["a=ice-ufrag"], found["a=ice-pwd"]
