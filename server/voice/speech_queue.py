"""Speech that came through the API and waits for its turn: uploads and WebSocket utterances."""

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from models.errors import VisavisError
from models.shapes import PcmArray
from server.voice.media_time import from_ms

PREBUFFER_SAMPLES = from_ms(100)  # of an utterance that still arrives, against network jitter


class SpeechQueueFullError(VisavisError):
    """More speech was sent than the session may hold."""

    code = "speech_queue_full"


@dataclass(slots=True)
class Utterance:
    """One piece of speech. ``closed``: no more of it will come."""

    speech_id: str
    closed: bool = False
    started_at: int | None = None  # media position of its first sample
    buffered: int = 0  # samples at 48 kHz that wait
    waits: bool = True  # for the prebuffer to fill
    dropped: bool = False  # by an interrupt; what is still added is thrown away
    parts: deque[PcmArray] = field(default_factory=deque)

    def add(self, pcm: PcmArray) -> None:
        """Append [n] samples."""
        self.parts.append(pcm)
        self.buffered += len(pcm)

    def take(self, samples: int) -> PcmArray:
        """The next [n] samples, at most ``samples``; none while the prebuffer fills."""
        if self.waits and not self.closed and self.buffered < PREBUFFER_SAMPLES:
            return np.zeros(0, np.int16)
        self.waits = False
        taken: list[PcmArray] = []
        while samples > 0 and self.parts:
            part = self.parts.popleft()
            if len(part) > samples:
                self.parts.appendleft(part[samples:])
                part = part[:samples]
            taken.append(part)
            samples -= len(part)
            self.buffered -= len(part)
        if samples > 0 and not self.closed:
            self.waits = True
        return np.concatenate(taken) if taken else np.zeros(0, np.int16)


class SpeechQueue:
    """Utterances in their order; together never more than ``max_samples``."""

    def __init__(self, max_samples: int) -> None:
        self._max_samples = max_samples
        self._utterances: deque[Utterance] = deque()

    def __len__(self) -> int:
        return len(self._utterances)

    @property
    def first(self) -> Utterance | None:
        """The utterance whose turn it is."""
        return self._utterances[0] if self._utterances else None

    @property
    def buffered(self) -> int:
        """Samples at 48 kHz that wait in all utterances."""
        return sum(u.buffered for u in self._utterances)

    def open(self, speech_id: str) -> Utterance:
        """A new utterance at the end of the queue."""
        utterance = Utterance(speech_id)
        self._utterances.append(utterance)
        return utterance

    def add(self, utterance: Utterance, pcm: PcmArray) -> None:
        """Append [n] samples to ``utterance``; raises SpeechQueueFullError, then keeps nothing."""
        if utterance.dropped:
            return
        if self.buffered + len(pcm) > self._max_samples:
            raise SpeechQueueFullError(
                f"the session's speech queue is full: {self._max_samples / 48_000:.0f} s at most;"
                " wait for speech.ended or interrupt"
            )
        utterance.add(pcm)

    def remove(self, utterance: Utterance) -> None:
        """Take an utterance out again."""
        self._utterances.remove(utterance)

    def drop_first(self) -> None:
        """The first utterance has been written out."""
        self._utterances.popleft()

    def clear(self) -> list[Utterance]:
        """Drop everything; returns what was dropped. Whoever still adds to one adds to nothing."""
        dropped = list(self._utterances)
        for utterance in dropped:
            utterance.dropped = True
            utterance.parts.clear()
        self._utterances.clear()
        return dropped
