"""What the user does with the microphone while the avatar is there: talks, or talks over it.

While the avatar is heard, and shortly after, more is asked of what counts as the user's speech:
a cough, an "mhm" or the avatar's own voice from the user's loudspeakers must not silence it.
"""

from collections.abc import Callable
from typing import Literal

from models.shapes import PcmArray
from server.sessions.events import EventHub, UserSpeechEnded, UserSpeechStarted
from server.voice.activity import BEGIN_MS
from server.voice.echo import EchoGuard
from server.voice.media_time import PACKET_MS, from_ms, to_ms
from server.voice.session_voice import SessionVoice

Listen = Literal["off", "events", "barge_in"]

BARGE_IN_MS = 340  # of voice while the avatar is heard: longer than "mhm"
TALK_MS = 96  # of voice otherwise, which the detector asks for anyway
ECHO_TAIL_SAMPLES = from_ms(800)  # how long the avatar's last words may come back
PAUSE_PACKETS = 160 // PACKET_MS  # of voice within a word or two; longer ones begin the count anew


class UserListening:
    """``hear`` takes the microphone, ``played`` what the client is sent, each 20 ms at a time."""

    def __init__(self, listen: Listen, voice: SessionVoice, events: EventHub) -> None:
        self.listen = listen
        self.on_barge_in: Callable[[], object] = lambda: None
        self._voice = voice
        self._events = events
        self._echo = EchoGuard()
        self._started_at: int | None = None  # media position at which the user began
        self._attempt_at: int | None = None  # position since which voice is counted
        self._voiced_ms = 0
        self._unvoiced_packets = 0
        self._avatar_heard_at = -ECHO_TAIL_SAMPLES
        self._was_strict = False

    @property
    def user_speaking(self) -> bool:
        """The user is talking, as far as is known."""
        return self._started_at is not None

    def played(self, packet: PcmArray, position: int) -> None:
        """One packet [960] that the client is sent at ``position``."""
        if self.listen == "off":
            return
        if self._voice.api_speech_audible:
            self._avatar_heard_at = position
        self._echo.played(packet)
        if not self._voice.activity.speaking:  # the microphone may be gone
            self._end(position)

    def hear(self, packet: PcmArray, position: int) -> None:
        """One packet [960] of the microphone that arrived at ``position``; the session's
        detector has heard it already."""
        if self.listen == "off":
            return
        self._echo.heard(packet)
        activity = self._voice.activity
        if not activity.speaking:
            self._attempt_at = None
            self._end(position - activity.since_voice)
            return
        strict = position - self._avatar_heard_at < ECHO_TAIL_SAMPLES
        if self._attempt_at is None:  # the detector has just made up its mind
            self._begin_attempt(position - activity.since_onset, BEGIN_MS)
        elif strict != self._was_strict:
            self._begin_attempt(position, 0)
        self._was_strict = strict
        if strict and activity.voiced and self._echo.is_echo:
            self._voiced_ms = max(0, self._voiced_ms - PACKET_MS)
            return
        self._count(position, voiced=activity.voiced)
        if self._voiced_ms >= (BARGE_IN_MS if strict else TALK_MS):
            self._talks()

    def _begin_attempt(self, position: int, voiced_ms: int) -> None:
        self._attempt_at = position
        self._voiced_ms = voiced_ms
        self._unvoiced_packets = 0

    def _count(self, position: int, *, voiced: bool) -> None:
        self._unvoiced_packets = 0 if voiced else self._unvoiced_packets + 1
        if voiced:
            self._voiced_ms += PACKET_MS
        elif self._unvoiced_packets > PAUSE_PACKETS:
            self._begin_attempt(position, 0)

    def _talks(self) -> None:
        if self._started_at is None:
            self._started_at = max(0, self._attempt_at or 0)
            self._events.publish(UserSpeechStarted(to_ms(self._started_at)))
        if self.listen == "barge_in" and self._voice.api_speech_audible:
            self.on_barge_in()

    def _end(self, position: int) -> None:
        if self._started_at is None:
            return
        at = max(self._started_at, position)
        self._events.publish(UserSpeechEnded(to_ms(at), to_ms(at - self._started_at)))
        self._started_at = None
