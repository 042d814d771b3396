"""What a session's voice consists of: API speech first, else the microphone, else silence.

All of it is written to one continuous timeline somewhat ahead of the playout point. ``target`` is
how far the timeline should reach now; it grows with the media clock. Speech that is already there
is written up to the target; a microphone's packets are written as they come, within a small elastic
margin that absorbs jitter and clock drift: when they fall behind it silence is put in, when they
run ahead of it (in a pause: by what a second shows to be needless; far ahead: at once) packets are
left out, and both are counted.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from models.shapes import FloatArray, PcmArray
from server.voice.activity import VoiceActivity
from server.voice.lead import MicrophoneLead
from server.voice.media_time import PACKET_MS, PACKET_SAMPLES, from_ms, to_ms
from server.voice.speech_queue import SpeechQueue, SpokenSentence, Utterance
from server.voice.timeline import VoiceTimeline

# how late a microphone's packet may come before silence fills in. Silence moves the later packets
# back, so a network that is worse than this costs one gap, and its delay grows by it
JITTER_SAMPLES = from_ms(40)
_QUIET_AHEAD_SAMPLES = from_ms(40)
_MAX_AHEAD_SAMPLES = from_ms(120)
_MICROPHONE_GONE_TICKS = 500 // PACKET_MS
_FADE_SAMPLES = from_ms(5)


@dataclass(frozen=True, slots=True)
class VoiceMark:
    """Speech begins or ends at a media position (samples at 48 kHz)."""

    position: int
    speech_id: str
    starts: bool
    from_api: bool = True


@dataclass(frozen=True, slots=True)
class CaptionMark:
    """A sentence of a spoken text begins at a media position (samples at 48 kHz)."""

    position: int
    speech_id: str
    sentence: SpokenSentence


Mark = VoiceMark | CaptionMark


@dataclass(frozen=True, slots=True)
class InterruptedSpeech:
    """``heard`` samples of this speech were played before it was cut."""

    speech_id: str
    heard: int


@dataclass(slots=True)
class _Microphone:
    running: bool = False
    ticks_without: int = 0
    speech_id: str | None = None  # while somebody speaks
    rest: PcmArray = field(default_factory=lambda: np.zeros(0, np.int16))  # less than a packet
    lead: MicrophoneLead = field(default_factory=MicrophoneLead)


class SessionVoice:
    """Writes the timeline, remembers where speech begins and ends, counts what it had to bend."""

    def __init__(self, max_queued_samples: int, new_speech_id: Callable[[], str]) -> None:
        self.timeline = VoiceTimeline()
        self.queue = SpeechQueue(max_queued_samples)
        self.activity = VoiceActivity()  # of the microphone
        self.microphone_drives = True  # else it is only listened to
        self.on_heard: Callable[[PcmArray], None] = lambda _: None  # each packet of it [960]
        self.audible: VoiceMark | None = None  # start of the speech heard at the playout point
        self.padded_samples = 0
        self.dropped_samples = 0
        self._marks: list[Mark] = []
        self._marks_from = 0  # no mark lies before this any more
        self._new_speech_id = new_speech_id
        self._microphone = _Microphone()

    @property
    def microphone_running(self) -> bool:
        """Packets of a microphone came within the last half second."""
        return self._microphone.running

    @property
    def awaits_voice(self) -> bool:
        """A microphone or an open speech could bring a voice at any time."""
        driven = self._microphone.running and self.microphone_drives
        return driven or any(not u.closed and not u.synthesised for u in self.queue)

    @property
    def quiet(self) -> bool:
        """Nobody speaks at the playout point, nor in what is written ahead of it or waits."""
        return self._nothing_written and len(self.queue) == 0

    def awaits(self, utterance: Utterance) -> bool:
        """Nobody speaks, and ``utterance`` is what would be heard next."""
        first = self.queue.first is utterance and utterance.started_at is None
        return first and self._nothing_written

    @property
    def api_speech_audible(self) -> bool:
        """Speech that came through the API is heard at the playout point."""
        return self.audible is not None and self.audible.from_api

    @property
    def _nothing_written(self) -> bool:
        written = self.audible is not None or bool(self._marks)
        return not written and self._microphone.speech_id is None

    def fill(self, target: int) -> None:
        """Once per 20 ms of media time: write speech up to ``target``, silence where due."""
        self._write_speech(target)
        self._watch_microphone()
        first = self.queue.first
        driven = self._microphone.running and self.microphone_drives
        awaited = driven or first is not None
        missing = target - (JITTER_SAMPLES if awaited else 0) - self.timeline.written
        if missing > 0:
            self.timeline.write_silence(missing)
            if driven or (first is not None and first.started_at is not None):
                self.padded_samples += missing

    def push_microphone(self, pcm: PcmArray, target: int) -> None:
        """Voice [n] of the microphone, just arrived."""
        microphone = self._microphone
        microphone.ticks_without = 0
        voice = np.concatenate([microphone.rest, pcm])
        whole = len(voice) // PACKET_SAMPLES * PACKET_SAMPLES
        microphone.rest = voice[whole:]
        for packet in voice[:whole].reshape(-1, PACKET_SAMPLES):
            self.activity.push(packet)
            self.on_heard(packet)
            if not self.microphone_drives:
                self._microphone.running = True
            elif self.queue.first is None:
                self._write_microphone_packet(packet, target)
            else:
                self._end_microphone_speech()
                self.dropped_samples += PACKET_SAMPLES  # the API's speech has the floor

    def encoder_voice(self) -> FloatArray:
        """The voice [m] at 16 kHz that became complete since the last call."""
        return self.timeline.next_blocks()

    def pass_marks(self, position: int) -> list[Mark]:
        """The playout point moves to ``position``; returns the marks that it passes."""
        passed = [mark for mark in self._marks if mark.position <= position]
        self._marks = [mark for mark in self._marks if mark.position > position]
        for mark in passed:
            if isinstance(mark, VoiceMark):
                self.audible = mark if mark.starts else None
        self.timeline.forget_before(position)
        return passed

    def interrupt(self, now: int, resume: int) -> list[InterruptedSpeech]:
        """Silence from ``now`` on; the timeline goes on at ``resume``. Returns what was cut,
        the speech that was being heard first."""
        cut: dict[str, int] = {}
        if self.audible is not None:
            cut[self.audible.speech_id] = now - self.audible.position
        for mark in self._marks:
            if isinstance(mark, VoiceMark) and mark.starts:
                cut.setdefault(mark.speech_id, 0)
        for utterance in self.queue.clear():
            cut.setdefault(utterance.speech_id, 0)
        self.audible = None
        self._marks = []
        self._marks_from = resume
        self._microphone = _Microphone()
        self.timeline.silence_from(now, _FADE_SAMPLES)
        self.timeline.truncate(resume)
        return [InterruptedSpeech(speech_id, heard) for speech_id, heard in cut.items()]

    def _write_speech(self, target: int) -> None:
        while (utterance := self.queue.first) is not None and self.timeline.written < target:
            pcm = utterance.take(target - self.timeline.written)
            if len(pcm) == 0 and not utterance.closed:
                return
            if utterance.started_at is None:
                self._start(utterance)
            if len(pcm) == 0:
                self._mark(utterance.speech_id, starts=False)
                self.queue.drop_first()
            else:
                self._mark_sentences(utterance, self.timeline.written + len(pcm))
                self.timeline.write(pcm)
                self.queue.took()

    def _start(self, utterance: Utterance) -> None:
        self._end_microphone_speech()
        utterance.started_at = self.timeline.written
        self._mark(utterance.speech_id, starts=True)

    def _mark_sentences(self, utterance: Utterance, taken_at: int) -> None:
        for sentence in utterance.take_sentences():
            position = taken_at - utterance.taken + sentence.start
            self._marks.append(CaptionMark(position, utterance.speech_id, sentence))

    def _write_microphone_packet(self, packet: PcmArray, target: int) -> None:
        microphone = self._microphone
        if not microphone.running:
            # begin in the middle of the elastic margin, not at the edge where silence fills in
            microphone.running = True
            self.timeline.write_silence(max(0, target - self.timeline.written))
        speaking = self.activity.speaking
        ahead = self.timeline.written - target
        microphone.lead.note(ahead)
        too_far = ahead >= (_MAX_AHEAD_SAMPLES if speaking else _QUIET_AHEAD_SAMPLES)
        if too_far or (not speaking and microphone.lead.take_back()):
            self.dropped_samples += PACKET_SAMPLES
            return
        if speaking and microphone.speech_id is None:
            microphone.speech_id = self._new_speech_id()
            onset = self.timeline.written + PACKET_SAMPLES - self.activity.since_onset
            self._mark_microphone(microphone.speech_id, onset, starts=True)
        if not speaking:
            self._end_microphone_speech()
        self.timeline.write(packet)

    def _watch_microphone(self) -> None:
        microphone = self._microphone
        microphone.ticks_without += 1
        known = microphone.running or self.activity.speaking
        if known and microphone.ticks_without > _MICROPHONE_GONE_TICKS:
            self._end_microphone_speech()
            self._microphone = _Microphone()
            self.activity.reset()

    def _end_microphone_speech(self) -> None:
        if self._microphone.speech_id is not None:
            last = self.timeline.written + PACKET_SAMPLES - self.activity.since_voice
            self._mark_microphone(self._microphone.speech_id, last, starts=False)
            self._microphone.speech_id = None

    def _mark(self, speech_id: str, *, starts: bool) -> None:
        self._marks.append(VoiceMark(self.timeline.written, speech_id, starts))
        self._marks_from = self.timeline.written

    def _mark_microphone(self, speech_id: str, position: int, *, starts: bool) -> None:
        """The verdict comes later than what it is about, which may even have been heard already."""
        position = min(max(position, self._marks_from), self.timeline.written)
        self._marks.append(VoiceMark(position, speech_id, starts, from_api=False))
        self._marks_from = position


def queued_ms(voice: SessionVoice, position: int) -> int:
    """Milliseconds of API speech not heard yet: still queued, or written ahead of ``position``."""
    ahead = max(0, voice.timeline.written - position) if not voice.quiet else 0
    return to_ms(voice.queue.buffered + ahead)
