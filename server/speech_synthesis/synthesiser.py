"""What a voice is that can speak a sentence."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from models.errors import VisavisError
from models.shapes import PcmArray


class SpeechServiceFailedError(VisavisError):
    """The voice did not speak: its service or process is down, refuses, stalls or talks nonsense.

    The text says which of these, and neither the service's address nor its key.
    """

    code = "speech_service_failed"


class UnknownVoiceError(VisavisError):
    """There is no such voice here."""

    code = "unknown_voice"


@dataclass(frozen=True, slots=True)
class VoiceChoice:
    """A voice that clients may ask for. ``language`` as in BCP 47; None: whatever the text is."""

    id: str
    name: str
    language: str | None


class SpeechSynthesiser(Protocol):
    """Speaks one sentence at a time; several sessions may ask at once."""

    @property
    def voices(self) -> Sequence[VoiceChoice]:
        """The first one is the usual one."""

    async def start(self) -> None:
        """Get ready before the first sentence comes; returns at once."""

    def speak(self, sentence: str, voice: str) -> AsyncIterator[PcmArray]:
        """The sentence as [n] int16 at 48 kHz, in pieces as they are made.

        ``voice`` is the id of one of ``voices``. Raises SpeechServiceFailedError.
        """

    async def close(self) -> None:
        """Free everything."""


def voice_id(synthesiser: SpeechSynthesiser, asked: str | None) -> str:
    """The id of the voice ``asked`` for, or of the usual one. Raises UnknownVoiceError."""
    known = [voice.id for voice in synthesiser.voices]
    if asked is None:
        return known[0]
    if asked not in known:
        raise UnknownVoiceError(f"there is no voice {asked[:60]!r}; accepted: {', '.join(known)}")
    return asked
