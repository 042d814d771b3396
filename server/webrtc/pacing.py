"""The pacing clock: one task per session that releases sound and picture together."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from models.shapes import Image
from models.timing import FRAME_MS
from server.encoding.opus import OpusEncoder
from server.encoding.shared_video import SharedVideo
from server.metrics import Metrics
from server.sessions.hop_phases import HopPhases
from server.sessions.session import PacedMedia, Session
from server.voice.media_time import PACKET_MS, SAMPLES_PER_PICTURE
from server.webrtc.tracks import AudioTrack, VideoTrack, audio_frame

log = structlog.get_logger(__name__)

PACKET_S = PACKET_MS / 1000
SLIP_S = 0.5  # a stall longer than this is not made up for: the clock starts anew after it
FIRST_PICTURE_LIMIT_S = 3.0
_LATE_SAMPLES = 50  # of the moving mean of tick_late_ms: about a second


@dataclass(frozen=True, slots=True)
class TrackPair:
    """Where the clock releases to."""

    video: VideoTrack
    audio: AudioTrack


class PacingClock:
    """Ticks the session every 20 ms; every other tick carries a picture.

    A picture that is there 20 ms before its time is encoded then, so it leaves in the same step of
    the event loop as the sound of its media position; one that comes after its time leaves at once.
    After a stall the missed ticks follow at once, so the media clock stays true to the real one.
    """

    def __init__(
        self, session: Session, video: SharedVideo, metrics: Metrics, phases: HopPhases
    ) -> None:
        """``video``: encodes this session's pictures, and ends with this clock. ``phases``: where
        other sessions' clocks are."""
        self.slips = 0
        self.on_first_frame: Callable[[], None] = lambda: None
        self.video = video
        self._session = session
        session.pictures.on_belated = self._release_picture
        self._metrics = metrics
        self._phases = phases
        self._opus: OpusEncoder | None = None
        self._tracks: list[TrackPair] = []
        self._last_picture: Image | None = None
        self._encoded_ahead = -1  # the newest frame whose encoding began before its time
        self._broken = False
        self._task: asyncio.Task[None] | None = None

    @property
    def failed(self) -> bool:
        """Nothing comes any more."""
        return self._broken or self.video.failed

    def new_tracks(self) -> TrackPair:
        """Tracks of a new connection, released to from ``attach`` on."""
        dropped = self._metrics.dropped
        return TrackPair(
            VideoTrack(dropped.labels("picture").inc), AudioTrack(dropped.labels("sound").inc)
        )

    def attach(self, tracks: TrackPair) -> None:
        """Release to these tracks, too, from now on."""
        self._tracks.append(tracks)
        self.video.add(tracks.video)
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
            self.video.remove(tracks.video)
        tracks.video.release(None)
        tracks.audio.release(None)

    async def stop(self) -> None:
        """End the clock, its tracks and its encoders."""
        self._phases.take_away(self)
        for tracks in list(self._tracks):
            self.detach(tracks)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self.video.close()
        self._opus = None  # it holds a thread for every core

    async def _run(self) -> None:
        await self._first_picture()
        loop = asyncio.get_running_loop()
        due = loop.time() + self._phases.wait_s(loop.time())
        self._phases.put(self, due)
        await asyncio.sleep(due - loop.time())
        while True:
            late_s = max(0.0, loop.time() - due)
            self._note_lateness(late_s)
            if late_s > SLIP_S:
                self.slips += 1
                due = loop.time()
                self._phases.put(self, due)
            self._release(self._session.tick())
            self._encode_ahead()
            due += PACKET_S
            await asyncio.sleep(max(0.0, due - loop.time()))

    def _note_lateness(self, late_s: float) -> None:
        self._metrics.tick_late_s.observe(late_s)
        session = self._session
        session.tick_late_ms += (late_s * 1000 - session.tick_late_ms) / _LATE_SAMPLES

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._broken = True
            log.error("pacing_failed", exc_info=error)

    async def _first_picture(self) -> None:
        """The clock starts with a face, not with black."""
        try:
            async with asyncio.timeout(FIRST_PICTURE_LIMIT_S):
                await self._session.picture_ready.wait()
        except TimeoutError:
            return

    def _encode_ahead(self) -> None:
        picture = self._session.picture_ahead()
        if picture is not None:
            self._encoded_ahead = self._session.frame
            self.video.encode(picture, self._encoded_ahead)

    def _release(self, media: PacedMedia) -> None:
        self._release_sound(media)
        if media.picture_due:
            self._release_picture(media.picture, media.position // SAMPLES_PER_PICTURE)
        self._session.encode_ms = self.video.encode_ms
        self._session.queue_ms = max((_queued_ms(tracks) for tracks in self._tracks), default=0)

    def _release_sound(self, media: PacedMedia) -> None:
        frame = audio_frame(media.sound, media.position)
        if self._opus is None:
            self._opus = OpusEncoder()
        packet = self._opus.encode(frame) if self._tracks else None
        for tracks in self._tracks:
            tracks.audio.release(packet if tracks.audio.takes_opus else frame)

    def _release_picture(self, picture: Image | None, frame: int) -> None:
        if picture is not None:
            if self._last_picture is None:
                self.on_first_frame()
            self._last_picture = picture
            self._metrics.frames_sent.inc()
            if frame > self._encoded_ahead:
                self.video.encode(picture, frame)
        else:
            self._metrics.frames_late.inc()
            if self._last_picture is not None:
                self.video.repeat(self._last_picture, frame)
        self.video.release(frame)


def _queued_ms(tracks: TrackPair) -> int:
    return max(tracks.audio.queued * PACKET_MS, tracks.video.queued * FRAME_MS)
