"""The pacing clock: one task per session that releases sound and picture together."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from models.shapes import Image
from models.timing import FRAME_MS
from server.metrics import Metrics
from server.sessions.session import PacedMedia, Session
from server.voice.media_time import PACKET_MS
from server.webrtc.tracks import (
    QUEUED_PACKETS,
    QUEUED_PICTURES,
    PacedTrack,
    audio_frame,
    video_frame,
)

log = structlog.get_logger(__name__)

PACKET_S = PACKET_MS / 1000
SLIP_S = 0.5  # a stall longer than this is not made up for: the clock starts anew after it
FIRST_PICTURE_LIMIT_S = 3.0


@dataclass(frozen=True, slots=True)
class TrackPair:
    """Where the clock releases to."""

    video: PacedTrack
    audio: PacedTrack


class PacingClock:
    """Ticks the session every 20 ms; every other tick carries a picture.

    Sound and picture of one media position leave in the same step of the event loop. After a
    stall the missed ticks follow at once, so the media clock stays true to the real one.
    """

    def __init__(self, session: Session, metrics: Metrics) -> None:
        self.slips = 0
        self.failed = False
        self.on_first_frame: Callable[[], None] = lambda: None
        self._session = session
        self._metrics = metrics
        self._tracks: list[TrackPair] = []
        self._last_picture: Image | None = None
        self._task: asyncio.Task[None] | None = None

    def new_tracks(self) -> TrackPair:
        """Tracks of a new connection, released to from ``attach`` on."""
        dropped = self._metrics.dropped
        return TrackPair(
            PacedTrack("video", QUEUED_PICTURES, dropped.labels("picture").inc),
            PacedTrack("audio", QUEUED_PACKETS, dropped.labels("sound").inc),
        )

    def attach(self, tracks: TrackPair) -> None:
        """Release to these tracks, too, from now on."""
        self._tracks.append(tracks)
        self.start()

    def start(self) -> None:
        """Begin to tick, unless it does already: a voice may come before anybody watches."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())
            self._task.add_done_callback(self._ended)

    def detach(self, tracks: TrackPair) -> None:
        """These tracks end; the clock goes on."""
        if tracks in self._tracks:
            self._tracks.remove(tracks)
        tracks.video.release(None)
        tracks.audio.release(None)

    async def stop(self) -> None:
        """End the clock and its tracks."""
        for tracks in list(self._tracks):
            self.detach(tracks)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        await self._first_picture()
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            late = loop.time() - due
            self._metrics.tick_late_s.observe(max(0.0, late))
            if late > SLIP_S:
                self.slips += 1
                due = loop.time()
            self._release(self._session.tick())
            due += PACKET_S
            await asyncio.sleep(max(0.0, due - loop.time()))

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failed = True
            log.error("pacing_failed", exc_info=error)

    async def _first_picture(self) -> None:
        """The clock starts with a face, not with black."""
        try:
            async with asyncio.timeout(FIRST_PICTURE_LIMIT_S):
                await self._session.picture_ready.wait()
        except TimeoutError:
            return

    def _release(self, media: PacedMedia) -> None:
        if media.picture is not None:
            if self._last_picture is None:
                self.on_first_frame()
            self._last_picture = media.picture
            self._metrics.frames_sent.inc()
        elif media.picture_due:
            self._metrics.frames_late.inc()
        picture = self._last_picture if media.picture_due else None
        for tracks in self._tracks:
            tracks.audio.release(audio_frame(media.sound, media.position))
            if picture is not None:
                tracks.video.release(video_frame(picture, media.position))
        self._session.queue_ms = max((_queued_ms(tracks) for tracks in self._tracks), default=0)


def _queued_ms(tracks: TrackPair) -> int:
    return max(tracks.audio.queued * PACKET_MS, tracks.video.queued * FRAME_MS)
