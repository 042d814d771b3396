"""Speech that came through the API and waits for its turn: files, WebSocket voice, spoken text."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from models.errors import VisavisError
from models.shapes import PcmArray
from server.voice.media_time import from_ms

PREBUFFER_SAMPLES = from_ms(100)  # of an utterance that still arrives, against network jitter
MAX_UTTERANCES = 100  # that wait in one session, however short
SYNTHESIS_LEAD_SAMPLES = from_ms(15_000)  # texts are made into speech only so far ahead


class SpeechQueueFullError(VisavisError):
    """More speech was sent than the session may hold."""

    code = "speech_queue_full"


@dataclass(slots=True)
class SpokenSentence:
    """One sentence of a text within its utterance."""

    text: str
    start: int  # samples at 48 kHz into the utterance
    samples: int | None = None  # None while it is still made


@dataclass(slots=True)
class Utterance:
    """One piece of speech. ``closed``: no more of it will come."""

    speech_id: str
    closed: bool = False
    synthesised: bool = False  # made by the server out of a text
    prebuffer: int = PREBUFFER_SAMPLES
    started_at: int | None = None  # media position of its first sample
    buffered: int = 0  # samples at 48 kHz that wait
    taken: int = 0
    waits: bool = True  # for the prebuffer to fill
    dropped: bool = False  # by an interrupt; what is still added is thrown away
    parts: deque[PcmArray] = field(default_factory=deque)
    sentences: deque[SpokenSentence] = field(default_factory=deque)  # not yet taken
    on_dropped: Callable[[], object] | None = None

    @property
    def ready(self) -> bool:
        """There is enough to begin with, or all there will be."""
        return self.closed or self.buffered >= self.prebuffer

    def add(self, pcm: PcmArray) -> None:
        """Append [n] samples."""
        if self.dropped:
            return
        self.parts.append(pcm)
        self.buffered += len(pcm)

    def take(self, samples: int) -> PcmArray:
        """The next [n] samples, at most ``samples``; none while the prebuffer fills."""
        if self.waits and not self.ready:
            return np.zeros(0, np.int16)
        self.waits = False
        self.prebuffer = PREBUFFER_SAMPLES
        taken: list[PcmArray] = []
        while samples > 0 and self.parts:
            part = self.parts.popleft()
            if len(part) > samples:
                self.parts.appendleft(part[samples:])
                part = part[:samples]
            taken.append(part)
            samples -= len(part)
            self.buffered -= len(part)
            self.taken += len(part)
        if samples > 0 and not self.closed:
            self.waits = True
        return np.concatenate(taken) if taken else np.zeros(0, np.int16)

    def take_sentences(self) -> list[SpokenSentence]:
        """The sentences whose first sample has been taken since the last call."""
        begun: list[SpokenSentence] = []
        while self.sentences and self.sentences[0].start < self.taken:
            begun.append(self.sentences.popleft())
        return begun


class SpeechQueue:
    """Utterances in their order; together never more than ``max_samples``."""

    def __init__(self, max_samples: int) -> None:
        self._max_samples = max_samples
        self._utterances: deque[Utterance] = deque()
        self._room = asyncio.Event()  # something was taken or dropped

    def __len__(self) -> int:
        return len(self._utterances)

    def __iter__(self) -> Iterator[Utterance]:
        return iter(self._utterances)

    @property
    def first(self) -> Utterance | None:
        """The utterance whose turn it is."""
        return self._utterances[0] if self._utterances else None

    @property
    def buffered(self) -> int:
        """Samples at 48 kHz that wait in all utterances."""
        return sum(u.buffered for u in self._utterances)

    def open(self, speech_id: str) -> Utterance:
        """A new utterance at the end of the queue; raises SpeechQueueFullError."""
        if len(self._utterances) >= MAX_UTTERANCES:
            raise SpeechQueueFullError(
                f"{MAX_UTTERANCES} speeches wait already; wait for speech.ended or interrupt"
            )
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

    def ahead_of_end(self, utterance: Utterance) -> int:
        """Samples that are heard before ``utterance`` needs more of its own."""
        total = 0
        for queued in self._utterances:
            total += queued.buffered
            if queued is utterance:
                break
        return total

    async def wait_for_room(self, utterance: Utterance) -> None:
        """Until so little of it and of what comes before waits that more should be made."""
        while self.ahead_of_end(utterance) >= SYNTHESIS_LEAD_SAMPLES:
            self._room.clear()
            await self._room.wait()

    def took(self) -> None:
        """Some of the first utterance was taken."""
        self._room.set()

    def remove(self, utterance: Utterance) -> None:
        """Take an utterance out again."""
        self._utterances.remove(utterance)
        self._room.set()

    def drop_first(self) -> None:
        """The first utterance has been written out."""
        self._utterances.popleft()
        self._room.set()

    def clear(self) -> list[Utterance]:
        """Drop everything; returns what was dropped. Whoever still adds to one adds to nothing."""
        dropped = list(self._utterances)
        self._utterances.clear()
        for utterance in dropped:
            utterance.dropped = True
            utterance.parts.clear()
            utterance.buffered = 0
            if utterance.on_dropped is not None:
                utterance.on_dropped()
        self._room.set()
        return dropped
