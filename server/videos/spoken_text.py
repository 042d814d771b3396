"""The sound of a video whose order has text instead."""

import io
import wave
from collections.abc import Awaitable, Callable

import numpy as np

from models.errors import SoundError, VisavisError
from models.shapes import PcmArray
from server.speech_synthesis.sentences import BadTextError, pieces_of
from server.speech_synthesis.synthesiser import SpeechSynthesiser, voice_id
from server.voice.media_time import PLAYOUT_RATE_HZ


class TextToSpeechUnavailableError(VisavisError):
    """This server speaks no texts."""

    code = "text_to_speech_unavailable"


class TextSpeaker:
    """``max_chars`` of a text, ``max_s`` of what it sounds like."""

    def __init__(self, synthesiser: SpeechSynthesiser | None, max_chars: int, max_s: float) -> None:
        self._synthesiser = synthesiser
        self._max_chars = max_chars
        self._max_s = max_s

    def check(self, text: str, voice: str | None) -> None:
        """Raises TextToSpeechUnavailableError, UnknownVoiceError, BadTextError."""
        voice_id(self._known(), voice)
        pieces_of(text, self._max_chars)

    async def speak(
        self, text: str, voice: str | None, between: Callable[[], Awaitable[None]]
    ) -> PcmArray:
        """The text as [n] int16 at 48 kHz; ``between`` sentences the caller may raise.

        Raises as ``check``, SpeechServiceFailedError, and SoundError where it gets too long.
        """
        synthesiser = self._known()
        chosen = voice_id(synthesiser, voice)
        parts: list[PcmArray] = []
        samples = 0
        for piece in pieces_of(text, self._max_chars):
            await between()
            async for pcm in synthesiser.speak(piece, chosen):
                parts.append(pcm)
                samples += len(pcm)
                if samples > self._max_s * PLAYOUT_RATE_HZ:
                    raise SoundError(f"the text takes longer to speak than {self._max_s:g} s")
        if not samples:
            raise BadTextError("this voice has no sound for the text")
        return np.concatenate(parts)

    def _known(self) -> SpeechSynthesiser:
        if self._synthesiser is None:
            raise TextToSpeechUnavailableError("this server speaks no texts; send a file audio")
        return self._synthesiser


def wav_file(pcm: PcmArray) -> bytes:
    """[n] int16 at 48 kHz as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(PLAYOUT_RATE_HZ)
        sound.writeframes(pcm.tobytes())
    return file.getvalue()
