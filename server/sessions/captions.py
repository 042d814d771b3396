"""Captions of spoken texts: which sentence is heard, and for how long."""

from server.sessions.events import Caption
from server.voice.media_time import to_ms
from server.voice.session_voice import CaptionMark

_USUAL_CHARS_PER_S = 14.0


def caption_of(mark: CaptionMark) -> Caption:
    """The event for a sentence that begins to be heard now. A sentence whose sound is still
    arriving gets the usual length of so many letters."""
    sentence = mark.sentence
    if sentence.samples is None:
        duration_ms = round(len(sentence.text) / _USUAL_CHARS_PER_S * 1000)
    else:
        duration_ms = to_ms(sentence.samples)
    return Caption(mark.speech_id, sentence.text, to_ms(mark.position), duration_ms)
