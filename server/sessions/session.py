"""A session: one face, one voice, one media clock. No input or output of its own.

Whoever drives it calls ``tick`` once per 20 ms of media time: the pacing clock in real time, the
offline renderer as fast as pictures come. The playout position only ever moves by ticks.
"""

import asyncio
import secrets
from dataclasses import dataclass
from typing import Protocol

from models.shapes import FloatArray, Image, PcmArray
from server.engine.config import Mode, MotionLevels
from server.engine.degradation import Degradation
from server.engine.frame_ring import RENDER_LEAD
from server.sessions.awaited_pictures import AwaitedPictures
from server.sessions.events import (
    ErrorEvent,
    EventHub,
    InterruptReason,
    SpeechInterrupted,
    State,
    Stats,
)
from server.sessions.listening import Listen, UserListening
from server.sessions.playout import Playout
from server.sessions.timing import SessionTiming
from server.voice.media_time import PACKET_MS, PACKET_SAMPLES, SAMPLES_PER_PICTURE, from_ms, to_ms
from server.voice.session_voice import (
    InterruptedSpeech,
    SessionVoice,
    queued_ms,
)
from server.voice.speech_queue import Utterance

_INTERRUPT_LEAD_FRAMES = 1  # the picture that is on its way already


class EngineLink(Protocol):
    """What a session asks of the engine worker; frames are numbers of the media clock."""

    @property
    def degraded(self) -> Degradation:
        """What the engine does without at the moment."""

    def open(self, start_frame: int, revision: int, levels: MotionLevels) -> None:
        """Begin a motion stream at ``start_frame``."""

    def feed(self, voice: FloatArray, played_frame: int, render_until: int) -> None:
        """More voice [n] at 16 kHz, and leave to render."""

    def rewind(self, frame: int, revision: int, *, to_rest: bool) -> None:
        """Forget voice and motion from ``frame`` on."""

    def set_levels(self, levels: MotionLevels) -> None:
        """Change the motion's levels."""

    def picture(self, frame: int) -> Image:
        """The I420 picture [H * 3 / 2, W] of a rendered frame, in memory that is reused soon."""


@dataclass(frozen=True, slots=True)
class PacedMedia:
    """What is played now: 20 ms of sound [960], and at the edge of a frame its picture."""

    position: int  # samples at 48 kHz
    sound: PcmArray
    picture_due: bool  # not where the one before is to stay on purpose
    picture: Image | None  # None although due: late (see AwaitedPictures.on_belated)


class Session:
    """See the module. Every method runs on the event loop's thread."""

    def __init__(
        self,
        *,
        engine: EngineLink,
        timing: SessionTiming,
        mode: Mode,
        levels: MotionLevels,
        max_speech_s: float,
        listen: Listen = "off",
    ) -> None:
        self.timing = timing
        self.mode = mode
        self.events = EventHub()
        self.voice = SessionVoice(from_ms(max_speech_s * 1000), new_speech_id)
        self.listening = UserListening(listen, self.voice, self.events)
        self.listening.on_barge_in = lambda: self.interrupt("barge_in")
        self._playout = Playout(self.voice, self.listening, self.events)
        self.voice.on_heard = lambda packet: self.listening.hear(packet, self.position)
        self.position = 0
        self.features_ms = 0.0
        self.motion_ms = 0.0
        self.render_ms = 0.0
        self.queue_ms = 0
        self.encode_ms = 0.0
        self.tick_late_ms = 0.0
        self.viewers = 0
        self._engine = engine
        self.levels = levels
        self.engine_failed = False
        self._engine_up = False
        self._revision = 0
        self._start_frame = 0
        self.pictures = AwaitedPictures(engine.picture)
        self.stats = self._figures(0.0)
        self._open_engine(0)

    @property
    def state(self) -> State:
        """Idle, listening or speaking."""
        return self._playout.state

    @property
    def frame(self) -> int:
        """The frame at the playout point."""
        return self.position // SAMPLES_PER_PICTURE

    @property
    def picture_due(self) -> bool:
        """The next tick is at the edge of a frame."""
        return self.position % SAMPLES_PER_PICTURE == 0

    @property
    def picture_delay_ms(self) -> int:
        """From a voice's arrival to its picture and sound."""
        return self.timing.ahead_packets * PACKET_MS

    @property
    def picture_ready(self) -> asyncio.Event:
        """The picture at the playout point is there."""
        return self.pictures.there

    def prime(self) -> None:
        """Write the first silence, so that idle pictures are there before the clock starts."""
        self.voice.fill(self._target)
        self._feed()

    def tick(self) -> PacedMedia:
        """Move the media clock on by 20 ms and return what is to be played in them."""
        position = self.position
        self.voice.fill(self._target)
        self._playout.pass_marks(position)
        self._feed()
        sound = self.voice.timeline.read(position, PACKET_SAMPLES)
        self.listening.played(sound, position)
        picture_due = self.picture_due and not self.pictures.passes_repeat(self.frame)
        picture = self.pictures.take(self.frame) if picture_due else None
        self._playout.update_state()
        self.position += PACKET_SAMPLES
        self.pictures.play_on(self.frame)
        return PacedMedia(position, sound, picture_due, picture)

    def picture_ahead(self) -> Image | None:
        """The next tick's picture, if it is there: it can be encoded before its time."""
        return self.pictures.ahead(self.frame) if self.picture_due else None

    def push_microphone(self, pcm: PcmArray) -> None:
        """Voice [n] at 48 kHz, just arrived."""
        self.voice.push_microphone(pcm, self._target)

    def say(self, pcm: PcmArray, speech_id: str | None = None) -> str:
        """Queue a whole speech [n] at 48 kHz; returns its id. Raises SpeechQueueFullError.

        When nobody speaks, idle motion that was planned ahead gives way to it.
        """
        was_quiet = self.voice.quiet
        utterance = self.voice.queue.open(speech_id or new_speech_id())
        utterance.closed = True
        try:
            self.voice.queue.add(utterance, pcm)
        except Exception:
            self.voice.queue.remove(utterance)
            raise
        if was_quiet:
            self._pull_forward()
        return utterance.speech_id

    def begin_speech(self, speech_id: str | None = None) -> Utterance:
        """A speech whose voice will arrive piece by piece, through ``voice.queue.add``."""
        return self.voice.queue.open(speech_id or new_speech_id())

    def begin_synthesised(self, speech_id: str | None = None) -> Utterance:
        """A speech that the server makes, faster than it is heard, through ``add_synthesised``.

        Raises SpeechQueueFullError.
        """
        utterance = self.begin_speech(speech_id)
        utterance.synthesised = True
        utterance.prebuffer = self.timing.ahead_samples
        return utterance

    def add_synthesised(self, utterance: Utterance, pcm: PcmArray) -> None:
        """More [n] of such a speech."""
        was_ready = utterance.ready
        utterance.add(pcm)
        self._begin_early(utterance, was_ready=was_ready)

    def end_synthesised(self, utterance: Utterance) -> None:
        """No more of it will come."""
        was_ready = utterance.ready
        utterance.closed = True
        self._begin_early(utterance, was_ready=was_ready)

    def interrupt(self, reason: InterruptReason = "client") -> InterruptedSpeech | None:
        """Silence now, the face to rest; returns what was being heard (or was next)."""
        resume = max(self._start_frame, self.frame + _INTERRUPT_LEAD_FRAMES)
        self._feed()
        cut = self.voice.interrupt(self.position, resume * SAMPLES_PER_PICTURE)
        self._rewind(resume, to_rest=True)
        for speech in cut:
            self.events.publish(SpeechInterrupted(speech.speech_id, to_ms(speech.heard), reason))
        self._playout.update_state()
        return cut[0] if cut else None

    def set_levels(self, levels: MotionLevels) -> None:
        """Change how much of each motion there is."""
        self.levels = levels
        if self._engine_up:
            self._engine.set_levels(levels)

    def frame_rendered(self, frame: int, revision: int, *, repeats: bool = False) -> None:
        """The engine has put a frame into the ring, or the picture before it stays."""
        self.pictures.drawn(frame, revision, repeats=repeats)

    def engine_lost(self, message: str) -> None:
        """The engine forgot this session; the face stands still until ``engine_back``."""
        self._engine_up = False
        self.pictures.forget()
        self.events.publish(ErrorEvent("engine_restarted", message))

    def engine_gave_up(self, message: str) -> None:
        """The engine cannot go on with this session: who looks after it ends it."""
        self.engine_failed = True
        self.events.publish(ErrorEvent("engine_error", message))

    def engine_back(self) -> None:
        """A new engine is there: go on with the voice that is still to be heard."""
        # a clock that has not started yet begins with the first picture
        start = self.frame + self.timing.lead_in_frames if self.position else 0
        self._revision += 1
        self.pictures.rewound(0, self._revision)
        position = start * SAMPLES_PER_PICTURE
        if position > self.voice.timeline.written:
            self.voice.timeline.truncate(position)
        self.voice.timeline.skip_encoding_to(position)
        self._open_engine(start)
        self._feed()

    def sample_stats(self, elapsed_s: float) -> Stats:
        """Once a second: take the figures; ``stats`` keeps them until the next time."""
        self.stats = self._figures((self.pictures.sent - self.stats.frames_sent) / elapsed_s)
        return self.stats

    @property
    def _target(self) -> int:
        return self.position + self.timing.ahead_samples

    def _figures(self, fps: float) -> Stats:
        return Stats(
            fps=round(fps, 1),
            frames_sent=self.pictures.sent,
            frames_late=self.pictures.late,
            frames_repeated=self.pictures.repeated,
            frames_ahead=len(self.pictures),
            queue_ms=self.queue_ms,
            viewers=self.viewers,
            picture_delay_ms=self.picture_delay_ms,
            media_ms=to_ms(self.position),
            speech_queued_ms=queued_ms(self.voice, self.position),
            voice_padded_ms=to_ms(self.voice.padded_samples),
            voice_dropped_ms=to_ms(self.voice.dropped_samples),
            encode_ms=round(self.encode_ms, 1),
            tick_late_ms=round(self.tick_late_ms, 1),
            features_ms=round(self.features_ms, 1),
            motion_ms=round(self.motion_ms, 1),
            render_ms=round(self.render_ms, 1),
            degraded=self._engine.degraded,
        )

    def _open_engine(self, start_frame: int) -> None:
        self._start_frame = start_frame
        self._engine_up = True
        self._engine.open(start_frame, self._revision, self.levels)

    def _feed(self) -> None:
        if self._engine_up:
            frame = self.frame
            self._engine.feed(self.voice.encoder_voice(), frame, frame + RENDER_LEAD)

    def _begin_early(self, utterance: Utterance, *, was_ready: bool) -> None:
        """As soon as there is enough of a speech, and nobody speaks, idle motion that was planned
        ahead gives way to it."""
        if utterance.ready and not was_ready and self.voice.awaits(utterance):
            self._pull_forward()

    def _pull_forward(self) -> None:
        """Drop the quiet voice planned beyond the earliest frame that can still change."""
        frame = max(self._start_frame, self.frame + self.timing.lead_in_frames)
        if (frame + 1) * SAMPLES_PER_PICTURE < self.voice.timeline.written:
            self._feed()  # the engine must know the voice up to the frame it goes back to
            self.voice.timeline.truncate(frame * SAMPLES_PER_PICTURE)
            self._rewind(frame, to_rest=False)

    def _rewind(self, frame: int, *, to_rest: bool) -> None:
        self._revision += 1
        self.pictures.rewound(frame, self._revision)
        if self._engine_up:
            self._engine.rewind(frame, self._revision, to_rest=to_rest)


def new_speech_id() -> str:
    """An id that no other speech has."""
    return f"sp_{secrets.token_hex(8)}"
