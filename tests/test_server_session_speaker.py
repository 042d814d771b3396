"""Texts on their way to a session's voice, in virtual time, with a synthesiser that obeys."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import numpy as np
import pytest

from models.shapes import PcmArray
from server.api.problems import KNOWN, ApiError
from server.sessions.events import (
    Caption,
    ErrorEvent,
    SpeechEnded,
    SpeechInterrupted,
    SpeechStarted,
)
from server.speech_synthesis.sentences import BadTextError
from server.speech_synthesis.session_speaker import SessionSpeaker
from server.speech_synthesis.synthesiser import (
    SpeechServiceFailedError,
    UnknownVoiceError,
    VoiceChoice,
)
from server.voice.media_time import PACKET_MS, from_ms
from server.voice.speech_queue import (
    MAX_UTTERANCES,
    SYNTHESIS_LEAD_SAMPLES,
    SpeechQueueFullError,
)
from tests.server_fixtures import tone
from tests.speaking_sessions import SpeakingSession

SENTENCE_S = 1.0
PIECE = from_ms(100)


@dataclass
class ObedientSynthesiser:
    """A second of tone for every sentence, in pieces of 100 ms. ``leave``: for how many pieces
    after the first one; ``fails_at``: this sentence is not spoken."""

    fails_at: int | None = None
    seconds: float = SENTENCE_S
    asked: list[str] = field(default_factory=list)
    stopped: int = 0
    leave: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(100_000))
    voices: tuple[VoiceChoice, ...] = (VoiceChoice("a", "A", "en"), VoiceChoice("b", "B", None))

    async def start(self) -> None:
        """Ready."""

    async def close(self) -> None:
        """Gone."""

    async def speak(self, sentence: str, voice: str) -> AsyncIterator[PcmArray]:
        self.asked.append(f"{voice}: {sentence}")
        if self.fails_at == len(self.asked):
            raise SpeechServiceFailedError("the speech service reports an error (status 500)")
        wave = tone(self.seconds)
        try:
            for start in range(0, len(wave), PIECE):
                yield wave[start : start + PIECE]
                await self.leave.acquire()
        except asyncio.CancelledError:
            self.stopped += 1
            raise


class Stage:
    """A session, its speaker and its synthesiser."""

    def __init__(self, synthesiser: ObedientSynthesiser) -> None:
        self.synthesiser = synthesiser
        self.face = SpeakingSession()
        self.speaker = SessionSpeaker(self.face.session, synthesiser, max_text_chars=5_000)

    async def play(self, ticks: int) -> PcmArray:
        heard = []
        for _ in range(ticks):
            for _ in range(30):  # synthesis is much faster than speech
                await asyncio.sleep(0)
            heard.append(self.face.play(1))
        return np.concatenate(heard)

    def captions(self) -> list[Caption]:
        return [e for e in self.face.events if isinstance(e, Caption)]


async def test_sentences_are_heard_in_order_and_captioned_as_they_begin() -> None:
    stage = Stage(ObedientSynthesiser())
    await stage.play(25)
    speech_id = stage.speaker.say("One is here. Two is here. Three is here.", "b", "mine")
    assert speech_id == "mine"
    heard = await stage.play(250)
    assert stage.synthesiser.asked == ["b: One is here.", "b: Two is here.", "b: Three is here."]
    (started,) = stage.face.told(SpeechStarted)
    (ended,) = stage.face.told(SpeechEnded)
    assert isinstance(started, SpeechStarted)
    assert isinstance(ended, SpeechEnded)
    assert ended.duration_ms == 3_000
    assert [(c.text, c.at_ms - started.at_ms, c.duration_ms) for c in stage.captions()] == [
        ("One is here.", 0, 1_000),
        ("Two is here.", 1_000, 1_000),
        ("Three is here.", 2_000, 1_000),
    ]
    start = int(np.flatnonzero(heard)[0]) - 1
    np.testing.assert_array_equal(heard[start : start + 3 * 48_000], np.tile(tone(1.0), 3))


async def test_a_caption_is_told_when_its_sentence_begins_to_be_heard() -> None:
    stage = Stage(ObedientSynthesiser())
    stage.speaker.say("One is here. Two is here.")
    told_at: list[int] = []
    for _ in range(200):
        before = len(stage.captions())
        await stage.play(1)
        if len(stage.captions()) > before:
            told_at.append(stage.face.session.position // 48)
    at_ms = [caption.at_ms for caption in stage.captions()]
    assert [a - b for a, b in zip(told_at, at_ms, strict=True)] == pytest.approx(
        [PACKET_MS, PACKET_MS], abs=PACKET_MS
    )


async def test_the_first_words_come_sooner_than_the_picture_delay() -> None:
    stage = Stage(ObedientSynthesiser())
    await stage.play(100)
    stage.speaker.say("Hello there.")
    heard = await stage.play(60)
    first_ms = int(np.flatnonzero(heard)[0]) / 48
    assert first_ms < stage.face.session.picture_delay_ms - 150
    assert stage.face.session.voice.padded_samples == 0


async def test_a_sentence_that_is_still_made_begins_as_soon_as_there_is_enough_of_it() -> None:
    stage = Stage(ObedientSynthesiser(seconds=5.0, leave=asyncio.Semaphore(0)))
    stage.speaker.say("A long sentence is streamed.")
    assert not (await stage.play(20)).any()
    for _ in range(12):
        stage.synthesiser.leave.release()
    assert (await stage.play(40)).any()
    (caption,) = stage.captions()
    assert caption.duration_ms == pytest.approx(2_000, abs=100)  # by its letters


async def test_texts_and_sounds_take_turns() -> None:
    stage = Stage(ObedientSynthesiser())
    stage.speaker.say("First.", speech_id="1")
    stage.face.session.say(tone(0.5), "2")
    stage.speaker.say("Third.", speech_id="3")
    await stage.play(250)
    started = [e.speech_id for e in stage.face.events if isinstance(e, SpeechStarted)]
    ended = [(e.speech_id, e.duration_ms) for e in stage.face.events if isinstance(e, SpeechEnded)]
    assert started == ["1", "2", "3"]
    assert ended == [("1", 1_000), ("2", 500), ("3", 1_000)]


async def test_an_interrupt_stops_the_making_and_drops_what_waits() -> None:
    stage = Stage(ObedientSynthesiser(seconds=10.0))
    stage.speaker.say("One is here. Two is here. Three is here. Four is here.", speech_id="1")
    stage.speaker.say("Five is here.", speech_id="2")
    await stage.play(50)
    made = len(stage.synthesiser.asked)
    assert made < 4  # only so far ahead
    stage.face.session.interrupt()
    heard = await stage.play(200)
    assert not heard[from_ms(10) :].any()
    cut = [e for e in stage.face.events if isinstance(e, SpeechInterrupted)]
    assert [(e.speech_id, e.reason) for e in cut] == [("1", "client"), ("2", "client")]
    assert len(stage.synthesiser.asked) == made
    assert not stage.face.told(ErrorEvent)
    stage.speaker.say("Six is here.")
    assert (await stage.play(60)).any()


async def test_an_interrupt_in_the_middle_of_a_sentence_stops_the_synthesiser() -> None:
    stage = Stage(ObedientSynthesiser(leave=asyncio.Semaphore(0)))
    stage.speaker.say("One is here.")
    await stage.play(5)
    stage.face.session.interrupt()
    await stage.play(5)
    assert stage.synthesiser.stopped == 1


async def test_speech_is_made_only_a_little_ahead() -> None:
    stage = Stage(ObedientSynthesiser(seconds=5.0))
    stage.speaker.say("So it goes. " * 40)
    most = 0
    for _ in range(100):
        await stage.play(1)
        most = max(most, stage.face.session.voice.queue.buffered)
    assert most < SYNTHESIS_LEAD_SAMPLES + 5 * 48_000
    asked = len(stage.synthesiser.asked)
    await stage.play(500)
    assert len(stage.synthesiser.asked) in (asked + 2, asked + 1)


async def test_a_long_sound_behind_a_text_does_not_starve_it() -> None:
    stage = Stage(ObedientSynthesiser())
    stage.speaker.say("One. Two. Three.", speech_id="text")
    stage.face.session.say(tone(60.0), "sound")
    await stage.play(220)
    ended = [e for e in stage.face.events if isinstance(e, SpeechEnded)]
    assert [(e.speech_id, e.duration_ms) for e in ended] == [("text", 3_000)]


async def test_a_failure_ends_the_speech_after_what_was_made_and_is_told() -> None:
    stage = Stage(ObedientSynthesiser(fails_at=2))
    stage.speaker.say("One is here. Two is here. Three is here.", speech_id="1")
    stage.speaker.say("Another one.", speech_id="2")
    await stage.play(250)
    assert stage.face.told(ErrorEvent) == [
        ErrorEvent("speech_service_failed", "the speech service reports an error (status 500)")
    ]
    ended = [(e.speech_id, e.duration_ms) for e in stage.face.events if isinstance(e, SpeechEnded)]
    assert ended == [("1", 1_000), ("2", 1_000)]


async def test_a_failure_of_the_first_sentence_ends_the_speech_too() -> None:
    stage = Stage(ObedientSynthesiser(fails_at=1))
    stage.speaker.say("One is here.", speech_id="1")
    await stage.play(60)
    assert stage.face.told(ErrorEvent)
    assert stage.face.told(SpeechEnded) == [SpeechEnded("1", 0)]
    assert stage.face.states[-1] == "idle"


async def test_a_text_that_the_voice_cannot_sound_is_told() -> None:
    stage = Stage(ObedientSynthesiser(seconds=0.0))
    stage.speaker.say("你好")
    await stage.play(60)
    assert stage.face.told(ErrorEvent) == [
        ErrorEvent("bad_text", "this voice has no sound for the text")
    ]
    assert stage.face.told(SpeechEnded)


async def test_bad_texts_and_voices_are_refused_before_anything_is_queued() -> None:
    stage = Stage(ObedientSynthesiser())
    with pytest.raises(BadTextError):
        stage.speaker.say("  ")
    with pytest.raises(BadTextError):
        stage.speaker.say("a" * 5_001)
    with pytest.raises(UnknownVoiceError):
        stage.speaker.say("Hello.", "c")
    assert len(stage.face.session.voice.queue) == 0
    for _ in range(MAX_UTTERANCES):
        stage.speaker.say("Hello.")
    with pytest.raises(SpeechQueueFullError):
        stage.speaker.say("Hello.")
    await stage.speaker.close()


async def test_without_a_synthesiser_texts_are_not_available() -> None:
    speaker = SessionSpeaker(SpeakingSession().session, None, 5_000)
    with pytest.raises(ApiError) as refusal:
        speaker.say("Hello.")
    assert KNOWN[refusal.value.code][0] == 501


async def test_close_stops_the_making() -> None:
    stage = Stage(ObedientSynthesiser(leave=asyncio.Semaphore(0)))
    stage.speaker.say("One is here.")
    await stage.play(2)
    await stage.speaker.close()
    assert stage.synthesiser.stopped == 1
