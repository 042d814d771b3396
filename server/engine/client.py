"""Keeps one engine worker alive: starts it, watches it, starts it again when it dies."""

import asyncio
import time
from collections.abc import Callable, Coroutine

import structlog

from models.errors import VisavisError
from server.engine.config import EngineConfig
from server.engine.messages import Command, EngineInfo, EngineReady, Reply, StartFailed
from server.engine.worker_main import WorkerStart
from server.engine.worker_process import QUEUED_COMMANDS, WorkerProcess

log = structlog.get_logger(__name__)

SILENT_PICTURES = 20  # a worker does not beat while it draws
STARTS_IN_A_ROW = 3
RESTART_PAUSE_S = 0.3  # doubled with every death that follows soon
LONGEST_PAUSE_S = 10.0
STEADY_S = 60.0  # who lives longer than this did not die at once
_WATCH_S = 1.0


class EngineUnavailableError(VisavisError):
    """The engine is not there at the moment."""

    code = "engine_starting"


class EngineFailedError(VisavisError):
    """The engine cannot be loaded."""

    code = "engine_failed"


class EngineClient:
    """``on_reply`` gets every reply but those about the worker's start; ``on_lost`` and
    ``on_ready`` say when the worker died and when one is there (again); ``on_failed`` that none
    will be. All are called on the event loop."""

    def __init__(self, config: EngineConfig, ring_name: str, lanes: int, warm_image: bytes) -> None:
        self.info: EngineInfo | None = None
        self.restarts = 0
        self.on_reply: Callable[[Reply], None] = _ignore
        self.on_lost: Callable[[], None] = lambda: None
        self.on_ready: Callable[[], None] = lambda: None
        self.on_failed: Callable[[EngineFailedError], None] = _ignore
        self._config = config
        self._start = WorkerStart(config, ring_name, lanes, warm_image)
        self._worker: WorkerProcess | None = None
        self._ready_at: float | None = None
        self._starts_in_a_row = 0
        self._early_deaths = 0
        self._last_words = ""
        self._closing = False
        self._failed: EngineFailedError | None = None
        self._decided = asyncio.Event()  # ready, or failed for good
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def ready(self) -> bool:
        """Loaded and warmed up."""
        return self._ready_at is not None

    @property
    def process_id(self) -> int | None:
        """The worker's, if there is one."""
        return self._worker.process_id if self._worker else None

    @property
    def queued_commands(self) -> int:
        """Commands that the worker has not taken yet."""
        return self._worker.queued_commands if self._worker else 0

    async def start(self) -> None:
        """Start the first worker and watch it; returns before it is ready."""
        await self._spawn()
        self._keep(self._watch())

    async def wait_ready(self) -> EngineInfo:
        """The loaded engine's figures. Raises EngineFailedError."""
        await self._decided.wait()
        if self._failed:
            raise self._failed
        assert self.info is not None
        return self.info

    def send(self, command: Command) -> None:
        """To the worker; without one it is lost, as the worker's memory is. A worker that takes
        nothing more is ended, and a new one started."""
        worker = self._worker
        if worker is not None and not worker.send(command):
            log.error("engine_stuck", queued=QUEUED_COMMANDS)
            worker.kill()

    async def close(self) -> None:
        """End the worker."""
        self._closing = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        worker, self._worker = self._worker, None
        if worker is not None:
            await worker.end()

    async def _spawn(self) -> None:
        self._starts_in_a_row += 1
        worker = WorkerProcess(self._start, self._take, self._exited)
        try:
            await worker.start()
        except OSError as error:  # no memory or no process number left
            self._last_words = f"cannot start a process: {error}"
            self._again_or_fail()
            return
        self._worker = worker

    def _take(self, worker: WorkerProcess, reply: Reply) -> None:
        if self._closing or worker is not self._worker:
            return
        match reply:
            case EngineReady():
                self.info = reply.info
                self._starts_in_a_row, self._last_words = 0, ""
                self._ready_at = time.monotonic()
                self._decided.set()
                log.info("engine_ready", **_figures(reply.info))
                self.on_ready()
            case StartFailed(final=True):
                self._fail(reply.message)
            case StartFailed():
                self._last_words = reply.message
            case _:
                self.on_reply(reply)

    def _exited(self, worker: WorkerProcess) -> None:
        if self._closing or self._failed or worker is not self._worker:
            return
        log.error("engine_died", exit_code=worker.exit_code)
        steady = self._ready_at is not None and time.monotonic() - self._ready_at > STEADY_S
        self._early_deaths = 0 if steady else self._early_deaths + 1
        self._last_words = self._last_words or f"exit code {worker.exit_code}"
        self._worker = None
        self._ready_at = None
        self._decided.clear()
        self.on_lost()
        self._again_or_fail()

    def _again_or_fail(self) -> None:
        if self._starts_in_a_row >= STARTS_IN_A_ROW:
            self._fail(
                f"the engine died {STARTS_IN_A_ROW} times in a row while loading;"
                f" its last words: {self._last_words}"
            )
            return
        self.restarts += 1
        self._keep(self._restart())

    async def _restart(self) -> None:
        pause_s = RESTART_PAUSE_S * 2.0 ** max(0, self._early_deaths - 1)
        await asyncio.sleep(min(pause_s, LONGEST_PAUSE_S))
        await self._spawn()

    async def _watch(self) -> None:
        looked = time.monotonic()
        while True:
            await asyncio.sleep(_WATCH_S)
            now = time.monotonic()
            # what the worker said while this process stood still is not read yet
            stood_still_s, looked = max(0.0, now - looked - 2 * _WATCH_S), now
            worker = self._worker
            if worker is None:
                continue
            worker.last_heard += stood_still_s
            limit_s = self.silence_limit_s if self.ready else self._config.start_limit_s
            if now - worker.last_heard > limit_s:
                log.error("engine_silent", seconds=limit_s)
                self._last_words = f"nothing was heard of it for {limit_s:g} s"
                worker.last_heard = now
                worker.kill()

    @property
    def silence_limit_s(self) -> float:
        """A worker whose pictures take seconds may be silent longer."""
        drawing_s = SILENT_PICTURES * self.info.render_ms / 1000 if self.info else 0.0
        return max(self._config.silence_limit_s, drawing_s)

    def _fail(self, message: str) -> None:
        self._failed = EngineFailedError(message)
        self._decided.set()
        log.error("engine_failed", reason=message)
        self.on_failed(self._failed)

    def _keep(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _ignore(_: object) -> None:
    """Until somebody listens."""


def _figures(info: EngineInfo) -> dict[str, object]:
    return {
        "engine": info.name,
        "device": info.device,
        "render_ms": round(info.render_ms, 1),
        "live_hop_ms": round(info.live.hop_ms, 1),
        "chunk_hop_ms": round(info.chunk.hop_ms, 1),
    }
