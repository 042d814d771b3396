"""The connections of one session: the one that may talk, and those that only watch."""

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from models.errors import VisavisError
from models.shapes import PcmArray
from server.config.webrtc import IceServer, WebRtcSettings
from server.metrics import Metrics
from server.webrtc.ice_fragment import IceFragment
from server.webrtc.ice_servers import ice_servers_for
from server.webrtc.pacing import PacingClock
from server.webrtc.peer import Peer

log = structlog.get_logger(__name__)

_KEPT_NAMES = 64  # of viewers that have gone


class NoConnectionError(VisavisError):
    """There is no such connection, or no longer."""

    code = "not_found"


class ViewersFullError(VisavisError):
    """As many watch as the settings allow."""

    code = "at_capacity"


class VoiceTakenError(VisavisError):
    """The session's voice comes over WHIP; nobody else may take its place."""

    code = "conflict"


@dataclass(slots=True)
class Connection:
    """One peer, by the name that its client knows."""

    connection_id: str
    peer: Peer
    ice_tag: str = field(default_factory=lambda: secrets.token_hex(8))  # changes with a restart
    offered_at: float = field(default_factory=time.monotonic)
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def take_fragment(self, fragment: IceFragment) -> str | None:
        """Candidates, or an ICE restart: then the answer, and a new ``ice_tag``."""
        answer = await self.peer.take_fragment(fragment)
        if answer is not None:
            self.ice_tag = secrets.token_hex(8)
        return answer


class Connections:
    """Every method runs on the event loop's thread."""

    def __init__(
        self,
        clock: PacingClock,
        settings: WebRtcSettings,
        metrics: Metrics,
        user: str,
        on_voice: Callable[[PcmArray], None] | None,
    ) -> None:
        """``user``: in whose name TURN servers are used. ``on_voice``: None takes no microphone."""
        self.ever_connected = False
        self._clock = clock
        self._settings = settings
        self._metrics = metrics
        self._user = user
        self._on_voice = on_voice
        self._interactive: Connection | None = None
        self._viewers: dict[str, Connection] = {}
        self._publishes = False  # the interactive one brings a voice and watches nothing
        self._offered = asyncio.Lock()
        self._lost_at: float | None = None
        self._gone: deque[str] = deque(maxlen=_KEPT_NAMES)
        self._closing: set[asyncio.Task[None]] = set()
        self._ended = False

    @property
    def connected(self) -> bool:
        """Somebody watches, or brings the voice."""
        return any(connection.peer.connected for connection in self._all())

    @property
    def viewers(self) -> int:
        """How many watch over WHEP now."""
        return sum(viewer.peer.connected for viewer in self._viewers.values())

    @property
    def ice_servers(self) -> list[IceServer]:
        """With credentials that are good from now on."""
        return ice_servers_for(self._settings, self._user, time.time())

    def lost_for_s(self) -> float:
        """Since when nobody is connected any more who was; 0 while somebody is."""
        return 0.0 if self._lost_at is None else time.monotonic() - self._lost_at

    async def answer(self, offer_sdp: str) -> str:
        """Connect the client that may talk, in place of the one before.

        Raises BadSdpError, NotAcceptableError, NoConnectionError, VoiceTakenError.
        """
        if self._publishes:
            raise VoiceTakenError("this session's voice comes over WHIP; watch it over WHEP")
        async with self._offered:
            tracks = self._clock.new_tracks()
            peer = Peer(tracks, self.ice_servers, self._on_voice)
            return await self._answer_interactive(peer, offer_sdp)

    async def publish(self, offer_sdp: str) -> tuple[Connection, str]:
        """Take the session's voice from a WHIP client; it watches nothing. Raises as ``answer``."""
        async with self._offered:
            self._publishes = True
            peer = Peer(None, self.ice_servers, self._on_voice)
            sdp = await self._answer_interactive(peer, offer_sdp)
            assert self._interactive is not None
            return self._interactive, sdp

    async def watch(self, offer_sdp: str) -> tuple[Connection, str]:
        """One more viewer, and its answer. Raises as ``answer``, and ViewersFullError."""
        if len(self._viewers) >= self._settings.max_viewers:
            raise ViewersFullError(
                f"{len(self._viewers)} watch this session, as many as it may have"
            )
        peer = Peer(self._clock.new_tracks(), self.ice_servers, None, only_sends=True)
        connection = Connection(f"c_{secrets.token_hex(8)}", peer)
        self._viewers[connection.connection_id] = connection  # its place is taken from here on
        try:
            return connection, await self._answer(connection, offer_sdp)
        except BaseException:
            self._viewers.pop(connection.connection_id, None)
            raise

    def viewer(self, connection_id: str) -> Connection:
        """Raises NoConnectionError."""
        if connection_id not in self._viewers:
            raise NoConnectionError(f"there is no connection {connection_id!r}; it may have ended")
        return self._viewers[connection_id]

    @property
    def publishes(self) -> bool:
        """The session's voice comes over WHIP, and the session ends with it."""
        return self._publishes

    def publisher(self) -> Connection:
        """The WHIP client. Raises NoConnectionError."""
        if not self._publishes or self._interactive is None:
            raise NoConnectionError("no voice comes over WHIP into this session")
        return self._interactive

    async def dismiss(self, connection_id: str) -> None:
        """A viewer leaves. Many hang up first, so one that has just gone is no error.

        Raises NoConnectionError.
        """
        if connection_id not in self._gone:
            await self._hang_up(self.viewer(connection_id))

    def drop_unconnected(self, limit_s: float) -> None:
        """Free those that have got an answer and never came."""
        oldest = time.monotonic() - limit_s
        for connection in self._all():
            if not connection.peer.connected and connection.offered_at < oldest:
                self._lost(connection)

    async def close(self) -> None:
        """End them all; no other can come."""
        self._ended = True
        for connection in self._all():
            await self._hang_up(connection)
        await asyncio.gather(*self._closing)

    def _all(self) -> list[Connection]:
        own = [] if self._interactive is None else [self._interactive]
        return [*own, *self._viewers.values()]

    async def _answer_interactive(self, peer: Peer, offer_sdp: str) -> str:
        connection = Connection(f"c_{secrets.token_hex(8)}", peer)
        sdp = await self._answer(connection, offer_sdp)
        before, self._interactive = self._interactive, connection
        if before is not None:
            await self._close(before)
        return sdp

    async def _answer(self, connection: Connection, offer_sdp: str) -> str:
        peer = connection.peer
        peer.on_connected = lambda: self._connected(connection)
        peer.on_lost = lambda: self._lost(connection)
        try:
            sdp = await peer.answer(offer_sdp)
        except BaseException:
            await peer.close()
            raise
        if self._ended:
            await peer.close()
            raise NoConnectionError("the session has ended")
        return sdp

    def _connected(self, connection: Connection) -> None:
        self.ever_connected = True
        if not self._publishes or connection is self._interactive:
            self._lost_at = None
        took_s = time.monotonic() - connection.offered_at
        self._metrics.connect_s.observe(took_s)
        if connection.peer.tracks is None:
            self._clock.start()
            return
        self._clock.on_first_frame = lambda: self._metrics.first_frame_s.observe(
            time.monotonic() - connection.offered_at
        )
        self._clock.attach(connection.peer.tracks)

    def _lost(self, connection: Connection) -> None:
        log.info("connection_lost", user=self._user, connection=connection.connection_id)
        self._forget(connection)
        task = asyncio.get_running_loop().create_task(self._close(connection))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _hang_up(self, connection: Connection) -> None:
        self._forget(connection)
        await self._close(connection)

    def _forget(self, connection: Connection) -> None:
        if self._viewers.pop(connection.connection_id, None) is not None:
            self._gone.append(connection.connection_id)
        was_interactive = connection is self._interactive
        if was_interactive:
            self._interactive = None
        # whoever brings the voice over WHIP is what the session lives by
        bereft = (was_interactive and self._publishes) or not any(
            other.peer.connected for other in self._all()
        )
        if self.ever_connected and self._lost_at is None and bereft:
            self._lost_at = time.monotonic()

    async def _close(self, connection: Connection) -> None:
        if connection.peer.tracks is not None:
            self._clock.detach(connection.peer.tracks)
        await connection.peer.close()
