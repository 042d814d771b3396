"""All pushes of one session; they end with it."""

import asyncio

from models.errors import VisavisError
from server.config.presenting import PresentingSettings
from server.presenting.destination import read_destination
from server.presenting.ffmpeg import find_ffmpeg
from server.presenting.push import Push, PushStatus
from server.sessions.events import EventHub, PushChanged
from server.webrtc.pacing import PacingClock


class NoPushError(VisavisError):
    """There is no such push."""

    code = "not_found"


class TooManyPushesError(VisavisError):
    """The session is pushed to as many places as it may be."""

    code = "conflict"


class Pushes:
    """Every method runs on the event loop's thread."""

    def __init__(
        self,
        clock: PacingClock,
        size: tuple[int, int],
        settings: PresentingSettings,
        events: EventHub,
    ) -> None:
        self._clock = clock
        self._size = size
        self._settings = settings
        self._events = events
        self._pushes: dict[str, Push] = {}

    @property
    def running(self) -> bool:
        """The session is pushed somewhere."""
        return bool(self._pushes)

    def start(self, url: str) -> PushStatus:
        """Raises BadPushUrlError, PushNotAllowedError, TooManyPushesError, FfmpegMissingError."""
        destination = read_destination(url, self._settings.push_hosts)
        program = find_ffmpeg(self._settings.ffmpeg)
        if len(self._pushes) >= self._settings.max_pushes:
            raise TooManyPushesError(
                f"the session has {len(self._pushes)} pushes, as many as it may have"
            )
        push = Push(self._clock, self._size, destination, program, self._tell)
        self._pushes[push.push_id] = push
        push.start()
        return push.status

    def all(self) -> list[PushStatus]:
        """How each of them does."""
        return [push.status for push in self._pushes.values()]

    def get(self, push_id: str) -> PushStatus:
        """Raises NoPushError."""
        return self._found(push_id).status

    async def stop(self, push_id: str) -> None:
        """Raises NoPushError."""
        push = self._found(push_id)
        del self._pushes[push_id]
        await push.stop()

    async def close(self) -> None:
        """End them all."""
        pushes = list(self._pushes.values())
        self._pushes.clear()
        await asyncio.gather(*(push.stop() for push in pushes))

    def _found(self, push_id: str) -> Push:
        if push_id not in self._pushes:
            raise NoPushError(f"this session has no push {push_id!r}")
        return self._pushes[push_id]

    def _tell(self, status: PushStatus) -> None:
        self._events.publish(PushChanged(status.push_id, status.state, status.trouble))
