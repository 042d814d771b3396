"""The embedded English voice, in a process of its own: pictures and sockets never wait for it."""

import asyncio
import contextlib
import json
import os
import signal
import struct
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from models.shapes import PcmArray
from server.speech_synthesis.synthesiser import SpeechServiceFailedError, VoiceChoice

log = structlog.get_logger(__name__)

VOICES = (
    VoiceChoice("heart", "Heart", "en-US"),
    VoiceChoice("heart-deep", "Heart, deep", "en-US"),
)
WAITING_SENTENCES = 64  # of all sessions; more are refused
START_LIMIT_S = 60.0
SENTENCE_LIMIT_S = 20.0
END_LIMIT_S = 5.0  # after it was killed
_MAX_ANSWER_BYTES = 2 * 48_000 * 120
_ATTEMPTS = 2  # the second one on a new process
_ROOT = Path(__file__).resolve().parents[2]


class _ProcessDiedError(Exception):
    """It ended, hung or answered nonsense; another one may do better."""


class EmbeddedSynthesiser:
    """A SpeechSynthesiser. One process serves all sessions, one sentence at a time; it is started
    with ``start`` or the first sentence, and anew when it dies."""

    voices = VOICES

    def __init__(self) -> None:
        self.restarts = 0
        self._process: Process | None = None
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def process_id(self) -> int | None:
        """The process's, if there is one."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Load in the background."""
        self._keep(asyncio.create_task(self._warm()))

    async def speak(self, sentence: str, voice: str) -> AsyncIterator[PcmArray]:
        """See SpeechSynthesiser: the sentence comes in one piece."""
        if self._waiting >= WAITING_SENTENCES:
            raise SpeechServiceFailedError("too many sentences wait for the embedded voice")
        self._waiting += 1
        exchange = asyncio.create_task(self._in_turn(sentence, voice))
        self._keep(exchange)
        # whoever stops listening must not leave half an answer in the pipe
        pcm = await asyncio.shield(exchange)
        if len(pcm):
            yield pcm

    async def close(self) -> None:
        """End the process."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._end()

    async def _warm(self) -> None:
        async with self._turn:
            try:
                await self._running()
            except (_ProcessDiedError, SpeechServiceFailedError) as error:
                log.error("voice_failed", reason=str(error))
                await self._end()

    async def _in_turn(self, sentence: str, voice: str) -> PcmArray:
        try:
            async with self._turn:
                return await self._spoken(sentence, voice)
        finally:
            self._waiting -= 1

    async def _spoken(self, sentence: str, voice: str) -> PcmArray:
        for _ in range(_ATTEMPTS):
            try:
                return await self._exchange(await self._running(), sentence, voice)
            except _ProcessDiedError as error:
                log.error("voice_died", reason=str(error))
                self.restarts += 1
                await self._end()
        raise SpeechServiceFailedError("the embedded voice's process died twice over a sentence")

    async def _exchange(self, process: Process, sentence: str, voice: str) -> PcmArray:
        assert process.stdin is not None
        request = json.dumps({"text": sentence, "voice": voice}) + "\n"
        try:
            async with asyncio.timeout(SENTENCE_LIMIT_S):
                process.stdin.write(request.encode())
                await process.stdin.drain()
                return await _answer(process)
        except TimeoutError as error:
            raise _ProcessDiedError(f"no answer within {SENTENCE_LIMIT_S:g} s") from error
        except (OSError, EOFError) as error:
            raise _ProcessDiedError("the process ended") from error

    async def _running(self) -> Process:
        """The process, ready; started where there is none."""
        if self._process is not None and self._process.returncode is None:
            return self._process
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "server.speech_synthesis.embedded_process",
            stdin=PIPE,
            stdout=PIPE,
            cwd=_ROOT,
            env=_environment(),
            limit=1 << 20,
            start_new_session=True,  # Ctrl-C is for the server, which ends it in its own time
        )
        try:
            async with asyncio.timeout(START_LIMIT_S):
                await _answer(self._process)
        except TimeoutError as error:
            raise _ProcessDiedError(f"not loaded within {START_LIMIT_S:g} s") from error
        except (OSError, EOFError) as error:
            raise _ProcessDiedError("the process ended while it loaded") from error
        log.info("voice_ready", process=self._process.pid)
        return self._process

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        # a library that takes SIGCHLD for itself (torch's data loader does) hides its end from us
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_LIMIT_S):
                await process.wait()

    def _keep(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waits for it has it; if nobody does, nobody misses it


async def _answer(process: Process) -> PcmArray:
    """One answer of the process. Raises SpeechServiceFailedError for a refusal, EOFError when it
    has ended."""
    assert process.stdout is not None
    (length,) = struct.unpack("<i", await process.stdout.readexactly(4))
    if abs(length) > _MAX_ANSWER_BYTES:
        raise EOFError("the answer is no sound")
    data = await process.stdout.readexactly(abs(length))
    if length < 0:
        raise SpeechServiceFailedError(data.decode(errors="replace"))
    return np.frombuffer(data, "<i2").astype(np.int16)


def _environment() -> dict[str, str]:
    """The process needs no secrets of the server, and one thread."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VISAVIS_")}
    return kept | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
