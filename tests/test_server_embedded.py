"""The embedded voice in its process: it speaks, dies, comes back, and disturbs nobody."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from types import SimpleNamespace

import numpy as np
import pytest
import pytest_asyncio

from models.shapes import PcmArray
from server.speech_synthesis import embedded
from server.speech_synthesis.embedded import EmbeddedSynthesiser
from server.speech_synthesis.embedded_process import VOICE_RATE_HZ, VOICES, trimmed
from server.speech_synthesis.synthesiser import SpeechServiceFailedError
from server.voice.media_time import from_ms
from tests.conftest import ROOT

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def synthesiser() -> AsyncIterator[EmbeddedSynthesiser]:
    made = EmbeddedSynthesiser()
    yield made
    await made.close()


async def spoken(synthesiser: EmbeddedSynthesiser, sentence: str, voice: str = "heart") -> PcmArray:
    pieces = [pcm async for pcm in synthesiser.speak(sentence, voice)]
    return np.concatenate([np.zeros(0, np.int16), *pieces])


def pitch_hz(pcm: PcmArray) -> float:
    """The median pitch of the loud parts."""
    wave = pcm[::6].astype(np.float64)  # 8 kHz
    found: list[float] = []
    for start in range(0, len(wave) - 400, 200):
        part = wave[start : start + 400]
        if np.sqrt(np.mean(part**2)) > 1_500:
            alike = np.correlate(part, part, "full")[400:]
            lag = int(np.argmax(alike[25:130])) + 25  # 62 to 320 Hz
            found.append(8_000 / (lag + 1))
    return float(np.median(found))


async def test_a_sentence_is_speech_of_its_length_and_begins_at_once(
    synthesiser: EmbeddedSynthesiser,
) -> None:
    pcm = await spoken(synthesiser, "Good morning, how are you today?")
    loud = np.flatnonzero(np.abs(pcm) > 600)
    assert 1.2 < len(pcm) / 48_000 < 3.5
    assert loud[0] < from_ms(80)
    assert 3_000 < np.sqrt(np.mean(pcm[: loud[-1]].astype(np.float64) ** 2)) < 5_000
    pause_ms = (len(pcm) - loud[-1]) / 48
    assert 300 < pause_ms < 600
    np.testing.assert_array_equal(
        pcm, await spoken(synthesiser, "Good morning, how are you today?")
    )


async def test_a_clause_is_followed_by_a_shorter_pause(synthesiser: EmbeddedSynthesiser) -> None:
    clause = await spoken(synthesiser, "When it rains,")
    sentence = await spoken(synthesiser, "When it rains.")
    quiet = [len(p) - np.flatnonzero(np.abs(p) > 600)[-1] for p in (clause, sentence)]
    assert quiet[0] < quiet[1] - from_ms(100)


async def test_the_deep_voice_is_a_mans(synthesiser: EmbeddedSynthesiser) -> None:
    text = "Nobody knows where the money came from."
    usual = pitch_hz(await spoken(synthesiser, text))
    deep = pitch_hz(await spoken(synthesiser, text, "heart-deep"))
    assert 150 < usual < 260
    assert 80 < deep < 140


async def test_what_has_no_sound_in_english_is_no_error(synthesiser: EmbeddedSynthesiser) -> None:
    assert len(await spoken(synthesiser, "你好")) == 0
    assert len(await spoken(synthesiser, "Still here.")) > 0


async def test_a_dead_process_is_replaced_and_the_sentence_spoken(
    synthesiser: EmbeddedSynthesiser,
) -> None:
    await spoken(synthesiser, "Hello.")
    before, restarts = synthesiser.process_id, synthesiser.restarts
    assert before is not None
    os.kill(before, signal.SIGKILL)
    assert len(await spoken(synthesiser, "Hello again.")) > 0
    assert synthesiser.process_id != before
    assert synthesiser.restarts in (restarts, restarts + 1)  # its death may be noticed before


async def test_a_process_that_hangs_is_replaced(
    synthesiser: EmbeddedSynthesiser, monkeypatch: pytest.MonkeyPatch
) -> None:
    await spoken(synthesiser, "Hello.")
    before, restarts = synthesiser.process_id, synthesiser.restarts
    assert before is not None
    os.kill(before, signal.SIGSTOP)
    monkeypatch.setattr(embedded, "SENTENCE_LIMIT_S", 0.3)
    speaking = asyncio.create_task(spoken(synthesiser, "Hello once more."))
    async with asyncio.timeout(20):
        while synthesiser.restarts == restarts:
            await asyncio.sleep(0.01)
    monkeypatch.setattr(embedded, "SENTENCE_LIMIT_S", 20.0)
    assert len(await speaking) > 0
    assert synthesiser.process_id != before


async def test_sessions_take_turns_and_one_that_leaves_does_not_disturb_the_others(
    synthesiser: EmbeddedSynthesiser,
) -> None:
    texts = [f"This is sentence number {number}." for number in range(6)]
    alone = [await spoken(synthesiser, text) for text in texts]
    tasks = [asyncio.create_task(spoken(synthesiser, text)) for text in texts]
    await asyncio.sleep(0)
    tasks[0].cancel()
    tasks[3].cancel()
    together = await asyncio.gather(*tasks, return_exceptions=True)
    for number, heard in enumerate(together):
        if number in (0, 3):
            assert isinstance(heard, asyncio.CancelledError)
        else:
            assert isinstance(heard, np.ndarray)
            np.testing.assert_array_equal(heard, alone[number])


async def test_more_sentences_than_may_wait_are_refused(
    synthesiser: EmbeddedSynthesiser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "WAITING_SENTENCES", 2)
    tasks = [asyncio.create_task(spoken(synthesiser, "Hello.")) for _ in range(6)]
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    refused = [o for o in outcomes if isinstance(o, SpeechServiceFailedError)]
    assert refused
    assert "too many sentences" in str(refused[0])
    assert any(isinstance(o, np.ndarray) for o in outcomes)


async def test_close_leaves_no_process_behind() -> None:
    synthesiser = EmbeddedSynthesiser()
    await spoken(synthesiser, "Hello.")
    process = synthesiser.process_id
    assert process is not None
    await synthesiser.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


async def test_close_waits_no_longer_than_it_says_for_an_end_that_is_hidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(embedded, "END_LIMIT_S", 0.05)
    signals: list[int] = []
    unseen = SimpleNamespace(returncode=None, send_signal=signals.append, wait=asyncio.Event().wait)
    synthesiser = EmbeddedSynthesiser()
    monkeypatch.setattr(synthesiser, "_process", unseen)
    await asyncio.wait_for(synthesiser.close(), 5.0)
    assert signals == [signal.SIGKILL]


async def test_the_process_ends_when_the_server_is_gone() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "server.speech_synthesis.embedded_process",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    async with asyncio.timeout(60):
        said, _ = await process.communicate()
    assert said == b"\0\0\0\0"  # ready, and nobody asked for anything
    assert process.returncode == 0


async def test_every_voice_that_is_offered_can_be_spoken() -> None:
    assert {voice.id for voice in embedded.VOICES} == set(VOICES)


async def test_silence_around_a_sentence_is_cut() -> None:
    wave = np.zeros(VOICE_RATE_HZ, np.float32)
    wave[8_000:12_000] = np.sin(np.arange(4_000) * 0.1).astype(np.float32)
    kept = trimmed(wave)
    assert len(kept) == pytest.approx(4_000, abs=VOICE_RATE_HZ * 0.05)
    assert len(trimmed(np.zeros(100, np.float32))) == 0
