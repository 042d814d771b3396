"""What is told of the voice as it passes the playout point: speeches, captions, the state."""

from server.sessions.events import (
    Caption,
    EventHub,
    SpeechEnded,
    SpeechStarted,
    State,
    StateChanged,
)
from server.sessions.listening import UserListening
from server.voice.media_time import to_ms
from server.voice.session_voice import CaptionMark, SessionVoice

_USUAL_CHARS_PER_S = 14.0


class Playout:
    """Turns marks on the timeline into events, and knows the state."""

    def __init__(self, voice: SessionVoice, listening: UserListening, events: EventHub) -> None:
        self.state: State = "idle"
        self._voice = voice
        self._listening = listening
        self._events = events

    def pass_marks(self, position: int) -> None:
        """The playout point moves to ``position`` (samples at 48 kHz)."""
        was_audible = self._voice.audible
        for mark in self._voice.pass_marks(position):
            if isinstance(mark, CaptionMark):
                self._events.publish(caption_of(mark))
            elif mark.starts:
                was_audible = mark
                self._events.publish(SpeechStarted(mark.speech_id, to_ms(mark.position)))
            elif was_audible is not None:
                duration = to_ms(mark.position - was_audible.position)
                self._events.publish(SpeechEnded(mark.speech_id, duration))

    def update_state(self) -> None:
        """Tell the state, if it has changed."""
        if self._voice.audible is not None:
            state: State = "speaking"
        elif self._voice.awaits_voice or self._listening.user_speaking:
            state = "listening"
        else:
            state = "idle"
        if state != self.state:
            self.state = state
            self._events.publish(StateChanged(state))


def caption_of(mark: CaptionMark) -> Caption:
    """The event for a sentence that begins to be heard now. A sentence whose sound is still
    arriving gets the usual length of so many letters."""
    sentence = mark.sentence
    if sentence.samples is None:
        duration_ms = round(len(sentence.text) / _USUAL_CHARS_PER_S * 1000)
    else:
        duration_ms = to_ms(sentence.samples)
    return Caption(mark.speech_id, sentence.text, to_ms(mark.position), duration_ms)
