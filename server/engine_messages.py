"""The engine worker's whole interface: what goes to it and what comes back.

Plain picklable dataclasses, so that the worker may stand behind a pipe or on another machine.
Frames are numbered by the session's media clock; pixels come back through the shared ring.
"""

from dataclasses import dataclass

from models.shapes import FloatArray
from server.engine import Mode, MotionLevels


@dataclass(frozen=True, slots=True)
class PreparePortrait:
    """Make a portrait of an image file's bytes and keep it as ``avatar_id``."""

    request_id: int
    avatar_id: str
    image: bytes


@dataclass(frozen=True, slots=True)
class ForgetPortrait:
    """No new session will ask for this portrait."""

    avatar_id: str


@dataclass(frozen=True, slots=True)
class OpenSession:
    """Begin a motion stream at ``start_frame``; its frames go to a lane of the ring."""

    session_id: str
    avatar_id: str
    lane: int
    start_frame: int
    revision: int
    mode: Mode
    seed: int
    levels: MotionLevels


@dataclass(frozen=True, slots=True)
class FeedSession:
    """More voice [n] at 16 kHz (maybe none), and leave to render frames up to ``render_until``."""

    session_id: str
    voice: FloatArray
    played_frame: int
    render_until: int


@dataclass(frozen=True, slots=True)
class RewindSession:
    """Forget voice and motion from ``frame`` on; frames from now on carry ``revision``."""

    session_id: str
    frame: int
    revision: int
    to_rest: bool  # interrupted: let the face come to rest


@dataclass(frozen=True, slots=True)
class SetLevels:
    """Change how much of each motion there is."""

    session_id: str
    levels: MotionLevels


@dataclass(frozen=True, slots=True)
class CloseSession:
    """Forget the session."""

    session_id: str


@dataclass(frozen=True, slots=True)
class Shutdown:
    """End the worker."""


Command = (
    PreparePortrait
    | ForgetPortrait
    | OpenSession
    | FeedSession
    | RewindSession
    | SetLevels
    | CloseSession
    | Shutdown
)


@dataclass(frozen=True, slots=True)
class ModeTiming:
    """What a warm engine needs in one mode, measured at start-up."""

    delay_frames: int
    hop_frames: int
    hop_ms: float  # motion of one hop and the first picture of it


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """The loaded engine."""

    name: str
    device: str
    width: int
    height: int
    live: ModeTiming
    chunk: ModeTiming
    render_ms: float  # one picture

    def timing(self, mode: Mode) -> ModeTiming:
        """The figures of ``mode``."""
        return self.live if mode == "live" else self.chunk


@dataclass(frozen=True, slots=True)
class EngineReady:
    """Loaded and warmed up."""

    info: EngineInfo


@dataclass(frozen=True, slots=True)
class StartFailed:
    """The engine cannot be loaded; trying again would not help."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class PortraitPrepared:
    """Answer to PreparePortrait."""

    request_id: int


@dataclass(frozen=True, slots=True)
class PortraitRefused:
    """Answer to PreparePortrait: the picture cannot become a portrait."""

    request_id: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class RenderedFrame:
    """One frame now lies in its ring slot."""

    session_id: str
    frame: int
    revision: int


@dataclass(frozen=True, slots=True)
class FramesReady:
    """One batch."""

    frames: tuple[RenderedFrame, ...]
    render_ms: float  # the whole batch


@dataclass(frozen=True, slots=True)
class MotionReady:
    """One push committed frames."""

    session_id: str
    frames: int
    motion_ms: float


@dataclass(frozen=True, slots=True)
class SessionFailed:
    """The engine could not go on with this session; it is closed in the worker."""

    session_id: str
    message: str


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The worker's loop turns."""

    sessions: int
    waiting_frames: int  # motion that waits to be rendered


Reply = (
    EngineReady
    | StartFailed
    | PortraitPrepared
    | PortraitRefused
    | FramesReady
    | MotionReady
    | SessionFailed
    | Heartbeat
)
