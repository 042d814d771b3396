"""ICE that can begin anew under a running connection, which aiortc itself has no way to do.

DTLS and the tracks stay; only the path of their packets changes. They stay on the old path until
the new one works, so a restart that fails harms nothing. Consent (RFC 7675) belongs to a path, so
it is looked after here, too.
"""

import asyncio
import contextlib

import aioice.ice
from aioice import Connection, stun
from aioice.ice import CandidatePair, ConnectionEvent
from aiortc import (
    InvalidStateError,
    RTCIceCandidate,
    RTCIceParameters,
    RTCIceServer,
    RTCIceTransport,
)
from aiortc.rtcicetransport import candidate_from_aioice, candidate_to_aioice, connection_kwargs

from models.errors import VisavisError
from server.webrtc.ice_fragment import IceFragment

RESTART_LIMIT_S = 20.0
MAX_REMOTE_CANDIDATES = 100  # more are not taken: RFC 8445 sets the same limit for checks
_MONITOR_TURNS = 10


class RestartNotPossibleError(VisavisError):
    """The connection has no path yet that a restart could replace."""

    code = "conflict"


class RestartableIce:
    """The path under one connection; made before the connection is up.

    ``media_is_consent``: whoever sends media is there, even if it answers no checks (RFC 7675)
    while it does, which FFmpeg's WHIP does not.
    """

    def __init__(
        self, transport: RTCIceTransport, servers: list[RTCIceServer], *, media_is_consent: bool
    ) -> None:
        self._transport = transport
        self._servers = servers
        self._media_is_consent = media_is_consent
        self._heard = False  # since the last check
        self._path: Connection = transport._connection
        self._watch_consent(self._path)
        self._next: Connection | None = None
        self._change: asyncio.Task[None] | None = None
        self._start = transport.start
        transport.start = self._start_unless_closed
        transport._recv = self._recv
        transport._send = self._send

    @property
    def _newest(self) -> Connection:
        return self._next or self._path

    @property
    def username(self) -> str:
        """Our name in the newest ICE session."""
        name: str = self._newest.local_username
        return name

    @property
    def password(self) -> str:
        """Our password in the newest ICE session."""
        word: str = self._newest.local_password
        return word

    @property
    def candidates(self) -> list[RTCIceCandidate]:
        """Ours in the newest ICE session."""
        return [candidate_from_aioice(each) for each in self._newest.local_candidates]

    @property
    def relayed(self) -> bool:
        """Packets go through a TURN server of ours or of the other end."""
        return any(
            "relay" in (pair.local_candidate.type, pair.remote_candidate.type)
            for pair in self._path._nominated.values()
        )

    async def add(self, fragment: IceFragment) -> None:
        """The other end's further candidates, for the newest ICE session."""
        path = self._newest
        room = MAX_REMOTE_CANDIDATES - len(path.remote_candidates)
        try:
            for candidate in fragment.candidates[: max(0, room)]:
                await path.add_remote_candidate(candidate_to_aioice(candidate))
            if fragment.complete:
                await path.add_remote_candidate(None)
        except ValueError:
            return  # the other end has said before that there would be no more

    async def restart(self, fragment: IceFragment) -> None:
        """Begin a new ICE session with the other end's new names and candidates.

        Raises RestartNotPossibleError.
        """
        if self._transport.state != "completed":
            raise RestartNotPossibleError(
                f"ICE is {self._transport.state}; only an established connection can be restarted"
            )
        await self.stop()  # a restart that is under way gives way to this one
        path = Connection(ice_controlling=False, **connection_kwargs(self._servers))
        self._watch_consent(path)
        await path.gather_candidates()
        path.remote_username, path.remote_password = fragment.username, fragment.password
        self._next = path
        await self.add(fragment)
        self._change = asyncio.get_running_loop().create_task(self._change_over(path))

    async def stop(self) -> None:
        """Give up a restart that is under way."""
        if self._next is not None:
            await self._next.close()
        if self._change is not None:
            # never cancelled: see _change_over
            await asyncio.gather(self._change, return_exceptions=True)

    async def _change_over(self, path: Connection) -> None:
        try:
            async with asyncio.timeout(RESTART_LIMIT_S):
                await path.connect()
        except (ConnectionError, TimeoutError):
            await path.close()
            if self._next is path:
                self._next = None
            return
        before, self._path, self._next = self._path, path, None
        self._transport._connection = path
        # aiortc waits for the old path's end and takes it for the connection's: send it to wait
        # for the new one's, and be sure that it does before that one could end
        before._emit_event(ConnectionEvent())
        for _ in range(_MONITOR_TURNS):
            if path._event_waiter is not None:
                break
            await asyncio.sleep(0)
        await before.close()

    async def _recv(self) -> bytes:
        while True:
            path = self._path
            try:
                data: bytes = await path.recv()
            except ConnectionError:
                if path is self._path:
                    raise
            else:
                self._heard = True
                return data

    async def _send(self, data: bytes) -> None:
        await self._path.send(data)

    async def _start_unless_closed(self, remote: RTCIceParameters) -> None:
        """aiortc starts the path of every section, even when the first one's end closed it."""
        with contextlib.suppress(InvalidStateError):
            await self._start(remote)

    def _watch_consent(self, path: Connection) -> None:
        usual = path.query_consent

        async def unless_closed() -> None:
            # aioice begins to ask even on a path that was closed while it was being found, and
            # would never end
            if not path._closing:
                await (self._query_consent(path) if self._media_is_consent else usual())

        path.query_consent = unless_closed  # type: ignore[method-assign]

    async def _query_consent(self, path: Connection) -> None:
        """In the place of aioice's own: the path ends when checks fail and no media comes."""
        failures = 0
        while failures < aioice.ice.CONSENT_FAILURES:
            self._heard = False
            await asyncio.sleep(aioice.ice.CONSENT_INTERVAL)
            answered = [await _answers(path, pair) for pair in path._nominated.values()]
            failures = 0 if self._heard or all(answered) else failures + 1
        path._query_consent_task = None  # it is this one; closing must not wait for it
        await path.close()


async def _answers(path: Connection, pair: CandidatePair) -> bool:
    """The other end answers a check of this pair."""
    assert path.remote_password is not None  # checks came before
    try:
        await pair.protocol.request(
            path.build_request(pair, nominate=False),
            pair.remote_addr,
            integrity_key=path.remote_password.encode(),
            retransmissions=0,
        )
    except stun.TransactionError:
        return False
    return True
