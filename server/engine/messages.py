"""The engine worker's whole interface: what goes to it and what comes back.

Plain picklable dataclasses, so that the worker may stand behind a pipe or on another machine.
Frames are numbered by the session's media clock; pixels come back through the shared ring.
"""

from dataclasses import dataclass

from liveportrait.output import OutputChoices, OutputOptions
from liveportrait.portrait_warnings import PortraitWarning
from models.shapes import FloatArray
from server.engine.config import Mode, MotionLevels
from server.engine.degradation import Degradation

_USUAL = OutputOptions()


@dataclass(frozen=True, slots=True)
class PortraitPlan:
    """A portrait to be made: an avatar's image file, and how its frames are to look."""

    avatar_id: str
    image: bytes
    output: OutputOptions = _USUAL

    @property
    def portrait_id(self) -> str:
        """The same for portraits that are the same."""
        return f"{self.avatar_id}/{self.output.key}"


@dataclass(frozen=True, slots=True)
class PreparePortrait:
    """Make a portrait of an image file's bytes and keep it as ``portrait_id``."""

    request_id: int
    portrait_id: str
    image: bytes
    output: OutputOptions = _USUAL


@dataclass(frozen=True, slots=True)
class ForgetPortrait:
    """No new session will ask for this portrait."""

    portrait_id: str


@dataclass(frozen=True, slots=True)
class OpenSession:
    """Begin a motion stream at ``start_frame``; its frames go to a lane of the ring."""

    session_id: str
    portrait_id: str
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
class SecondCost:
    """What a second of media costs: the worker's time, and CPU time on whatever core."""

    worker_s: float = 0.0
    cpu_s: float = 0.0

    def __add__(self, other: "SecondCost") -> "SecondCost":
        return SecondCost(self.worker_s + other.worker_s, self.cpu_s + other.cpu_s)

    def times(self, factor: float) -> "SecondCost":
        """So much of it."""
        return SecondCost(self.worker_s * factor, self.cpu_s * factor)


@dataclass(frozen=True, slots=True)
class ModeTiming:
    """What a warm engine needs in one mode, measured at start-up."""

    delay_frames: int
    hop_frames: int
    hop_ms: float  # motion of one hop and the first picture of it
    motion: SecondCost = SecondCost()


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
    choices: OutputChoices
    pictures: SecondCost = SecondCost()  # of the usual size
    motion_apart: bool = False  # a thread of its own makes motion while pictures are drawn

    def timing(self, mode: Mode) -> ModeTiming:
        """The figures of ``mode``, with pictures of the usual size."""
        return self.live if mode == "live" else self.chunk

    def larger_ms(self, size: tuple[int, int]) -> float:
        """How much longer than a usual picture one of ``size`` (width, height) takes."""
        return self.render_ms * max(0.0, self.area_ratio(size) - 1.0)

    def area_ratio(self, size: tuple[int, int]) -> float:
        """Pixels of a picture of ``size`` (width, height) over those of a usual one."""
        return size[0] * size[1] / (self.width * self.height)


@dataclass(frozen=True, slots=True)
class EngineReady:
    """Loaded and warmed up."""

    info: EngineInfo


@dataclass(frozen=True, slots=True)
class StartFailed:
    """The engine cannot be loaded. ``final``: trying again would not help."""

    code: str
    message: str
    final: bool = True


@dataclass(frozen=True, slots=True)
class PortraitFacts:
    """What is known of a portrait once it is prepared."""

    size: tuple[int, int]  # width and height of its frames
    warnings: tuple[PortraitWarning, ...] = ()


@dataclass(frozen=True, slots=True)
class PortraitPrepared:
    """Answer to PreparePortrait."""

    request_id: int
    facts: PortraitFacts


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
class PicturesRepeated:
    """The worker saves work: these frames show the picture before them once more."""

    frames: tuple[RenderedFrame, ...]


@dataclass(frozen=True, slots=True)
class MotionReady:
    """A hop of motion is there."""

    session_id: str
    frames: int
    features_ms: float  # what is heard of the voice, where it is apart
    motion_ms: float  # the rest of the hop


@dataclass(frozen=True, slots=True)
class DegradationChanged:
    """The machine falls behind, or has caught up (see degradation.py)."""

    level: Degradation


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
    | PicturesRepeated
    | MotionReady
    | DegradationChanged
    | SessionFailed
    | Heartbeat
)
