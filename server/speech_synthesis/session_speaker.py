"""A session's texts on their way to its voice: made sentence by sentence, a little ahead."""

import asyncio
from collections.abc import Sequence

import structlog

from models.errors import VisavisError
from server.api.problems import ApiError
from server.sessions.events import ErrorEvent
from server.sessions.session import Session
from server.speech_synthesis.sentences import BadTextError, pieces_of
from server.speech_synthesis.synthesiser import SpeechSynthesiser, voice_id
from server.voice.speech_queue import SpokenSentence, Utterance

log = structlog.get_logger(__name__)


class SessionSpeaker:
    """Texts take their turn among the session's other speeches; an interrupt stops them."""

    def __init__(
        self, session: Session, synthesiser: SpeechSynthesiser | None, max_text_chars: int
    ) -> None:
        self._session = session
        self._synthesiser = synthesiser
        self._max_text_chars = max_text_chars
        self._tasks: set[asyncio.Task[None]] = set()

    def say(self, text: str, voice: str | None = None, speech_id: str | None = None) -> str:
        """Speak ``text`` after what waits already; returns the speech's id at once.

        Raises ApiError ``text_to_speech_unavailable``, BadTextError, UnknownVoiceError,
        SpeechQueueFullError. What fails later is told by an event ``error``.
        """
        if self._synthesiser is None:
            raise ApiError("text_to_speech_unavailable", "this server speaks no texts; send audio")
        chosen = voice_id(self._synthesiser, voice)
        pieces = pieces_of(text, self._max_text_chars)
        utterance = self._session.begin_synthesised(speech_id)
        task = asyncio.get_running_loop().create_task(
            self._speak(self._synthesiser, utterance, pieces, chosen)
        )
        utterance.on_dropped = task.cancel
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return utterance.speech_id

    async def close(self) -> None:
        """Stop making speech."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _speak(
        self,
        synthesiser: SpeechSynthesiser,
        utterance: Utterance,
        pieces: Sequence[str],
        voice: str,
    ) -> None:
        try:
            spoken = 0
            for piece in pieces:
                await self._session.voice.queue.wait_for_room(utterance)
                spoken += await self._speak_piece(synthesiser, utterance, piece, voice)
            if not spoken:
                raise BadTextError("this voice has no sound for the text")
        except VisavisError as error:
            log.warning("speech_failed", code=error.code, reason=str(error))
            self._session.events.publish(ErrorEvent(error.code, str(error)))
        except Exception as error:
            log.error("speech_crashed", exc_info=error)
            self._session.events.publish(
                ErrorEvent("internal", "the text could not be spoken; the server has logged why")
            )
        finally:
            # what was made so far is spoken to its end, and then the speech ends
            self._session.end_synthesised(utterance)

    async def _speak_piece(
        self, synthesiser: SpeechSynthesiser, utterance: Utterance, piece: str, voice: str
    ) -> int:
        """Returns its samples at 48 kHz."""
        sentence = SpokenSentence(piece, start=utterance.taken + utterance.buffered)
        samples = 0
        async for pcm in synthesiser.speak(piece, voice):
            if not samples:
                utterance.sentences.append(sentence)
            samples += len(pcm)
            self._session.add_synthesised(utterance, pcm)
        sentence.samples = samples
        return samples
