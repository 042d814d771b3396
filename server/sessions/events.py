"""What a session tells its listeners. Times are milliseconds of the session's media clock."""

import asyncio
from dataclasses import asdict, dataclass
from typing import ClassVar, Literal

from server.engine.degradation import Degradation

State = Literal["idle", "listening", "speaking"]
InterruptReason = Literal["client", "barge_in"]
QUEUED_EVENTS = 256


@dataclass(frozen=True, slots=True)
class SessionReady:
    """The first event of every listener."""

    type: ClassVar[str] = "session.ready"
    session_id: str
    state: State
    fps: int
    width: int
    height: int
    picture_delay_ms: int


@dataclass(frozen=True, slots=True)
class StateChanged:
    """Idle, listening or speaking from now on."""

    type: ClassVar[str] = "state"
    state: State


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The speech begins to be heard."""

    type: ClassVar[str] = "speech.started"
    speech_id: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """The speech has been heard to its end."""

    type: ClassVar[str] = "speech.ended"
    speech_id: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class SpeechInterrupted:
    """The speech was cut after ``position_ms`` of it: asked to, or the user talked over it."""

    type: ClassVar[str] = "speech.interrupted"
    speech_id: str
    position_ms: int
    reason: InterruptReason = "client"


@dataclass(frozen=True, slots=True)
class Caption:
    """A sentence of a text begins to be heard. Its length is an estimate while it is made."""

    type: ClassVar[str] = "caption"
    speech_id: str
    text: str
    at_ms: int
    duration_ms: int


@dataclass(frozen=True, slots=True)
class UserSpeechStarted:
    """The user has begun to talk into the microphone, at this time of what was being played."""

    type: ClassVar[str] = "user_speech.started"
    at_ms: int


@dataclass(frozen=True, slots=True)
class UserSpeechEnded:
    """The user has fallen silent."""

    type: ClassVar[str] = "user_speech.ended"
    at_ms: int
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Stats:
    """Once a second: how the session is doing. Counters count from the session's start."""

    type: ClassVar[str] = "stats"
    fps: float  # new pictures sent during the last second
    frames_sent: int
    frames_late: int  # pictures that were not there in time: shown late, or not at all
    frames_repeated: int  # pictures left out on purpose, as ``degraded`` says
    frames_ahead: int  # pictures that wait for their time
    queue_ms: int  # picture and sound packets released but not yet taken by the connection
    viewers: int  # connections that watch over WHEP
    picture_delay_ms: int  # from a voice's arrival to its picture
    media_ms: int
    speech_queued_ms: int
    voice_padded_ms: int  # silence put in because voice came late
    voice_dropped_ms: int  # voice left out because it ran ahead, or API speech had the floor
    encode_ms: float  # one picture, for all who watch: mean of about a second
    tick_late_ms: float  # how late sound and picture left: mean of about a second
    features_ms: float  # what is heard of the last hop's voice
    motion_ms: float  # the rest of the last hop's motion
    render_ms: float  # one picture, in the last batch
    degraded: Degradation  # what the engine does without, as the machine falls behind


@dataclass(frozen=True, slots=True)
class PushChanged:
    """A push of this session is in another state."""

    type: ClassVar[str] = "push"
    id: str
    state: Literal["connecting", "live", "waiting", "ended"]
    trouble: str | None  # why it waits


@dataclass(frozen=True, slots=True)
class ErrorEvent:
    """Something went wrong; the session lives on."""

    type: ClassVar[str] = "error"
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Pong:
    """Answer to ping."""

    type: ClassVar[str] = "pong"


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """The last event."""

    type: ClassVar[str] = "session.ended"
    reason: str


Event = (
    SessionReady
    | StateChanged
    | SpeechStarted
    | SpeechEnded
    | SpeechInterrupted
    | Caption
    | UserSpeechStarted
    | UserSpeechEnded
    | Stats
    | PushChanged
    | ErrorEvent
    | Pong
    | SessionEnded
)


def as_json(event: Event) -> dict[str, object]:
    """The event as it goes over the WebSocket."""
    return {"type": event.type, **asdict(event)}


class Listener:
    """One reader of a session's events; one that is too slow loses them all and is told so."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue(QUEUED_EVENTS)
        self._overrun = False

    def offer(self, event: Event) -> None:
        """Queue an event, unless the reader has fallen behind."""
        if self._overrun:
            return
        try:
            self._queue.put_nowait(event)
        except asyncio.QueueFull:
            self._overrun = True
            while not self._queue.empty():
                self._queue.get_nowait()
            self._queue.put_nowait(None)

    async def next(self) -> Event | None:
        """The next event; None when this reader was too slow."""
        return await self._queue.get()

    def waiting(self) -> list[Event]:
        """Take all events that are there now."""
        events = [self._queue.get_nowait() for _ in range(self._queue.qsize())]
        return [event for event in events if event is not None]


class EventHub:
    """Hands every event to every listener; a slow one is cut off, never waited for."""

    def __init__(self) -> None:
        self._listeners: set[Listener] = set()

    def listen(self) -> Listener:
        """A new listener; it hears what is published from now on."""
        listener = Listener()
        self._listeners.add(listener)
        return listener

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._listeners)

    def leave(self, listener: Listener) -> None:
        """The listener wants no more."""
        self._listeners.discard(listener)

    def publish(self, event: Event) -> None:
        """To all listeners."""
        for listener in self._listeners:
            listener.offer(event)
