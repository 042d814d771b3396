"""One push of a session: an FFmpeg that is started again whenever its receiver goes away."""

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Literal

import structlog
from aiortc.mediastreams import MediaStreamError

from models.errors import VisavisError
from models.timing import FPS
from server.presenting.destination import Destination, resolve
from server.presenting.ffmpeg import FfmpegPush
from server.presenting.muxer import NutMuxer
from server.webrtc.pacing import PacingClock, TrackPair

log = structlog.get_logger(__name__)

PushState = Literal["connecting", "live", "waiting", "ended"]
KEY_FRAME_EVERY = 2 * FPS  # receivers begin, and cut, at key frames only
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0


@dataclass(frozen=True, slots=True)
class PushStatus:
    """What callers are told."""

    push_id: str
    state: PushState
    url: str  # without path and options
    trouble: str | None  # why it waits


class Push:
    """``on_change`` is called with every new state."""

    def __init__(
        self,
        clock: PacingClock,
        size: tuple[int, int],
        destination: Destination,
        program: str,
        on_change: Callable[[PushStatus], None],
    ) -> None:
        self.push_id = f"push_{secrets.token_hex(8)}"
        self._clock = clock
        self._size = size
        self._destination = destination
        self._program = program
        self._on_change = on_change
        self._state: PushState = "connecting"
        self._trouble: str | None = None
        self._pause_s = FIRST_PAUSE_S
        self._task: asyncio.Task[None] | None = None

    @property
    def status(self) -> PushStatus:
        """How it does now."""
        return PushStatus(self.push_id, self._state, self._destination.shown, self._trouble)

    def start(self) -> None:
        """Begin; whatever happens afterwards is in ``status``."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """End it, and its FFmpeg."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._change("ended", None)

    async def _run(self) -> None:
        while True:
            self._change("connecting", self._trouble)
            try:
                trouble = await self._run_once()
            except (VisavisError, OSError) as error:
                trouble = str(error)
            self._change("waiting", trouble)
            log.info("push_waits", push=self.push_id, pause_s=self._pause_s, reason=trouble)
            await asyncio.sleep(self._pause_s)
            self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)

    async def _run_once(self) -> str:
        """Until FFmpeg ends: why it did. Raises OSError, BadPushUrlError, PushNotAllowedError."""
        address = await resolve(self._destination)
        push = FfmpegPush(self._destination, self._went_live)
        tracks = self._clock.new_tracks()
        tracks.video.codec, tracks.audio.takes_opus = "H264", False
        feeders: list[asyncio.Task[None]] = []
        try:
            await push.start(self._program, address)
            self._clock.attach(tracks)
            with NutMuxer(self._size) as muxer:
                feeders = feed(tracks, muxer, push)
                await push.ended()
        finally:
            self._clock.detach(tracks)
            for feeder in feeders:
                feeder.cancel()
            await asyncio.gather(*feeders, return_exceptions=True)
            await push.close()
        return push.trouble

    def _went_live(self) -> None:
        self._pause_s = FIRST_PAUSE_S
        self._change("live", None)

    def _change(self, state: PushState, trouble: str | None) -> None:
        changed = state != self._state
        self._state, self._trouble = state, trouble
        if changed:
            self._on_change(self.status)


def feed(tracks: TrackPair, muxer: NutMuxer, push: FfmpegPush) -> list["asyncio.Task[None]"]:
    """Two tasks that bring pictures and sound to FFmpeg as they are released.

    When FFmpeg takes nothing, the tracks' bounded queues drop.
    """
    writing = asyncio.Lock()

    async def write() -> None:
        async with writing:
            await push.write(muxer.take())

    async def pictures() -> None:
        frames = 0
        while True:
            muxer.add_picture(await tracks.video.recv())
            frames += 1
            if frames % KEY_FRAME_EVERY == 0:
                tracks.video.wants_key_frame = True
            await write()

    async def sound() -> None:
        while True:
            muxer.add_sound(await tracks.audio.recv())
            await write()

    async def until_over(work: Callable[[], Coroutine[None, None, None]]) -> None:
        with contextlib.suppress(MediaStreamError, OSError):
            await work()

    return [asyncio.create_task(until_over(work)) for work in (pictures, sound)]
