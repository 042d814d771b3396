"""One running session with all that it holds: clock, connections, voice, pushes, time to live."""

import asyncio
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import structlog

from liveportrait.output import OutputOptions
from server.api.output_schemas import output_as_json
from server.avatars import Avatar
from server.config.settings import Limits, Settings
from server.encoding.shared_video import SharedVideo
from server.engine.config import Mode, MotionLevels
from server.engine.pool import PooledEngine
from server.metrics import Metrics
from server.presenting.pushes import Pushes
from server.sessions.events import SessionEnded, as_json
from server.sessions.hop_phases import HopPhases
from server.sessions.listening import Listen
from server.sessions.session import Session
from server.speech_synthesis.session_speaker import SessionSpeaker
from server.speech_synthesis.synthesiser import SpeechSynthesiser
from server.webrtc.connections import Connections
from server.webrtc.pacing import PacingClock

log = structlog.get_logger(__name__)

_END_LIMIT_S = 5.0  # for a connection to hang up

VoiceIn = Literal["mic", "api", "both"]


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """What a client asked for, within the limits."""

    owner: str  # see access.Caller: whose keys may see and end it
    avatar: Avatar
    mode: Mode
    voice_in: VoiceIn
    levels: MotionLevels
    output: OutputOptions
    seed: int
    idle_timeout_s: float
    max_duration_s: float
    listen: Listen = "off"

    @property
    def hears_microphone(self) -> bool:
        """It drives the face, or is listened to for when the user talks."""
        return self.voice_in != "api" or self.listen != "off"


class LiveSession:
    """A session with its clock, its connections and its time to live."""

    def __init__(
        self,
        session_id: str,
        plan: SessionPlan,
        link: PooledEngine,
        session: Session,
        settings: Settings,
        metrics: Metrics,
        synthesiser: SpeechSynthesiser | None,
        phases: HopPhases,
    ) -> None:
        self.session_id = session_id
        self.token = secrets.token_urlsafe(24)
        self.plan = plan
        self.session = session
        video = SharedVideo(settings.encoding, metrics)
        self.clock = PacingClock(session, video, metrics, phases)
        self.created_at = datetime.now(UTC)
        self.expires_at = self.created_at + timedelta(seconds=plan.max_duration_s)
        self._link = link
        self.speaker = SessionSpeaker(session, synthesiser, settings.speech.max_text_chars)
        self.connections = Connections(
            self.clock,
            settings.webrtc,
            metrics,
            session_id,
            session.push_microphone if plan.hears_microphone else None,
        )
        self.pushes = Pushes(self.clock, self.size, settings.presenting, session.events)
        self._born = self._active = time.monotonic()
        self.ended = False

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of its pictures."""
        return self._link.plan.size

    @property
    def remaining_s(self) -> float:
        """Until it must end."""
        return self.plan.max_duration_s - (time.monotonic() - self._born)

    def touch(self) -> None:
        """The client has asked for something."""
        self._active = time.monotonic()

    def over(self, limits: Limits) -> str | None:
        """Why the session must end now, if it must."""
        now = time.monotonic()
        if self.session.state == "speaking" or self.session.listening.user_speaking:
            self._active = now
        if self.clock.failed:
            return "internal_error"
        if self.session.engine_failed:
            return "engine_error"
        if self.remaining_s <= 0:  # the wall clock may be set meanwhile
            return "max_duration"
        if now - self._active > self.plan.idle_timeout_s:
            return "idle_timeout"
        if self.pushes.running:
            return None
        if self.connections.lost_for_s() > limits.lost_client_grace_s:
            return "client_lost"
        if not self.connections.ever_connected and now - self._born > limits.connect_timeout_s:
            return "never_connected"
        return None

    async def end(self, reason: str) -> None:
        """Free everything; its place, too, when a connection does not hang up."""
        self.ended = True
        self.session.events.publish(SessionEnded(reason))
        try:
            async with asyncio.timeout(_END_LIMIT_S):
                await self.speaker.close()
                await self.pushes.close()
                await self.clock.stop()
                await self.connections.close()
        except Exception as error:
            log.error("hang_up_failed", session=self.session_id, exc_info=error)
        finally:
            self._link.close()

    def as_json(self) -> dict[str, object]:
        """The API's form."""
        return {
            "id": self.session_id,
            "avatar_id": self.plan.avatar.avatar_id,
            "mode": self.plan.mode,
            "voice_in": self.plan.voice_in,
            "listen": self.plan.listen,
            "output": output_as_json(self.plan.output),
            "width": self.size[0],
            "height": self.size[1],
            "state": self.session.state,
            "connected": self.connections.connected,
            "created_at": self.created_at.isoformat(),
            "expires_at": self.expires_at.isoformat(),
            "media_ms": self.session.stats.media_ms,
            "stats": as_json(self.session.stats),
        }
