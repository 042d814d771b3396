"""The server's end of the engine worker: starts it, watches it, starts it again when it dies.

Two threads per worker process move messages over its pipe, so the event loop never waits for it:
one sends from a bounded queue, one receives and hands over to the loop.
"""

import asyncio
import itertools
import multiprocessing
import os
import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

import structlog

from liveportrait.output import OutputError
from models.errors import PortraitError, VisavisError
from server.engine.config import EngineConfig
from server.engine.messages import (
    Command,
    EngineInfo,
    EngineReady,
    ForgetPortrait,
    PortraitFacts,
    PortraitPlan,
    PreparePortrait,
    Reply,
    Shutdown,
    StartFailed,
)
from server.engine.worker import WorkerStart, run_worker

log = structlog.get_logger(__name__)

KEPT_PORTRAITS = 64  # in the worker, a few MB each; the least used is forgotten first
QUEUED_COMMANDS = 4000  # more than ten seconds of every session's voice
START_LIMIT_S = 300.0  # loading may convert networks once
SILENCE_LIMIT_S = 15.0  # a worker beats once a second
SILENT_PICTURES = 20  # ... but not while it draws
STARTS_IN_A_ROW = 3
_RESTART_PAUSE_S = 0.3


class EngineUnavailableError(VisavisError):
    """The engine is not there at the moment."""

    code = "engine_starting"


class EngineFailedError(VisavisError):
    """The engine cannot be loaded."""

    code = "engine_failed"


@dataclass(slots=True)
class _Worker:
    """One process and its threads; replies of an earlier generation are ignored."""

    generation: int
    process: SpawnProcess
    connection: Connection
    commands: "queue.Queue[Command | None]"
    last_heard: float


class EngineClient:
    """``on_reply`` gets every reply but those that this class answers itself; ``on_lost`` and
    ``on_ready`` say when the worker died and when one is there (again); ``on_failed`` that none
    will be. All are called on the event loop."""

    def __init__(self, config: EngineConfig, ring_name: str, lanes: int, warm_image: bytes) -> None:
        self.info: EngineInfo | None = None
        self.restarts = 0
        self.on_reply: Callable[[Reply], None] = _ignore
        self.on_lost: Callable[[], None] = lambda: None
        self.on_ready: Callable[[], None] = lambda: None
        self.on_failed: Callable[[EngineFailedError], None] = _ignore
        self._start = WorkerStart(config, ring_name, lanes, warm_image)
        self._context = multiprocessing.get_context("spawn")
        self._generation = itertools.count(1)
        self._requests = itertools.count(1)
        self._worker: _Worker | None = None
        self._waiting: dict[int, asyncio.Future[PortraitFacts]] = {}
        self._prepared: OrderedDict[str, PortraitFacts] = OrderedDict()  # by portrait id
        self._ready = asyncio.Event()
        self._starts_in_a_row = 0
        self._closing = False
        self._failed: EngineFailedError | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def ready(self) -> bool:
        """Loaded and warmed up."""
        return self._ready.is_set()

    @property
    def process_id(self) -> int | None:
        """The worker's, if there is one."""
        return self._worker.process.pid if self._worker else None

    @property
    def queued_commands(self) -> int:
        """Commands that the worker has not taken yet."""
        return self._worker.commands.qsize() if self._worker else 0

    async def start(self) -> None:
        """Start the first worker and watch it; returns before it is ready."""
        await self._spawn()
        self._keep(self._watch())

    async def wait_ready(self) -> EngineInfo:
        """The loaded engine's figures. Raises EngineFailedError."""
        while not self._ready.is_set():
            if self._failed:
                raise self._failed
            await asyncio.sleep(0.02)
        assert self.info is not None
        return self.info

    async def prepare(self, plan: PortraitPlan) -> PortraitFacts:
        """Make the worker know a portrait. Raises PortraitError, OutputError,
        EngineUnavailableError."""
        if not self.ready:
            raise EngineUnavailableError("the engine is starting; try again in a few seconds")
        portrait_id = plan.portrait_id
        if portrait_id in self._prepared:
            self._prepared.move_to_end(portrait_id)
            return self._prepared[portrait_id]
        request_id = next(self._requests)
        answer: asyncio.Future[PortraitFacts] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = answer
        try:
            self.send(PreparePortrait(request_id, portrait_id, plan.image, plan.output))
            facts = await answer
        finally:
            self._waiting.pop(request_id, None)
        self._prepared[portrait_id] = facts
        while len(self._prepared) > KEPT_PORTRAITS:
            oldest, _ = self._prepared.popitem(last=False)
            self.send(ForgetPortrait(oldest))
        return facts

    def forget(self, avatar_id: str) -> None:
        """No new session will have this avatar; those that run keep their portrait."""
        for portrait_id in list(self._prepared):
            if portrait_id.startswith(f"{avatar_id}/"):
                del self._prepared[portrait_id]
                self.send(ForgetPortrait(portrait_id))

    def answer(self, request_id: int, answer: PortraitFacts | VisavisError) -> None:
        """The worker has answered a preparation."""
        future = self._waiting.get(request_id)
        if future is None or future.done():
            return
        if isinstance(answer, PortraitFacts):
            future.set_result(answer)
        else:
            future.set_exception(answer)

    def send(self, command: Command) -> None:
        """To the worker; without one it is lost, as the worker's memory is. A worker that takes
        nothing more is ended, and a new one started."""
        worker = self._worker
        if worker is None:
            return
        try:
            worker.commands.put_nowait(command)
        except queue.Full:
            log.error("engine_stuck", queued=QUEUED_COMMANDS)
            worker.process.kill()

    async def close(self) -> None:
        """End the worker."""
        self._closing = True
        for task in self._tasks:
            task.cancel()
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.commands.put(Shutdown())
            worker.commands.put(None)
            await asyncio.to_thread(_end, worker.process)

    async def _spawn(self) -> None:
        self._starts_in_a_row += 1
        ours, theirs = self._context.Pipe()
        # libraries read this when they load, before the worker can say it itself
        os.environ.setdefault("OMP_NUM_THREADS", str(self._start.config.threads))
        process = self._context.Process(
            target=run_worker, args=(theirs, self._start), name="visavis-engine", daemon=True
        )
        await asyncio.to_thread(process.start)
        theirs.close()
        worker = _Worker(
            next(self._generation), process, ours, queue.Queue(QUEUED_COMMANDS), time.monotonic()
        )
        self._worker = worker
        loop = asyncio.get_running_loop()
        threading.Thread(target=_send_all, args=(worker,), daemon=True).start()
        threading.Thread(target=self._receive_all, args=(worker, loop), daemon=True).start()

    def _receive_all(self, worker: _Worker, loop: asyncio.AbstractEventLoop) -> None:
        """Body of the receiving thread; ends with the process or the loop."""
        try:
            while True:
                reply = worker.connection.recv()
                loop.call_soon_threadsafe(self._take, worker.generation, reply)
        except (EOFError, OSError):
            pass
        except RuntimeError:
            return  # the loop is closed
        worker.commands.put(None)
        worker.process.join()
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._exited, worker.generation)

    def _take(self, generation: int, reply: Reply) -> None:
        worker = self._worker
        if worker is None or worker.generation != generation:
            return
        worker.last_heard = time.monotonic()
        match reply:
            case EngineReady():
                self.info = reply.info
                self._starts_in_a_row = 0
                self._ready.set()
                log.info("engine_ready", **_figures(reply.info))
                self.on_ready()
            case StartFailed():
                self._fail(reply.message)
            case _:
                self.on_reply(reply)

    def _exited(self, generation: int) -> None:
        worker = self._worker
        if self._closing or self._failed or worker is None or worker.generation != generation:
            return
        log.error("engine_died", exit_code=worker.process.exitcode)
        self._worker = None
        self._ready.clear()
        self._prepared.clear()
        for future in list(self._waiting.values()):
            if not future.done():
                future.set_exception(EngineUnavailableError("the engine was restarted; try again"))
        self.on_lost()
        if self._starts_in_a_row >= STARTS_IN_A_ROW:
            self._fail(f"the engine died {STARTS_IN_A_ROW} times in a row while loading")
            return
        self.restarts += 1
        self._keep(self._restart())

    async def _restart(self) -> None:
        await asyncio.sleep(_RESTART_PAUSE_S)
        await self._spawn()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            worker = self._worker
            limit = silence_limit_s(self.info) if self.ready else START_LIMIT_S
            if worker is not None and time.monotonic() - worker.last_heard > limit:
                log.error("engine_silent", seconds=limit)
                worker.last_heard = time.monotonic()
                worker.process.kill()

    def _fail(self, message: str) -> None:
        self._failed = EngineFailedError(message)
        log.error("engine_failed", reason=message)
        self.on_failed(self._failed)

    def _keep(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def silence_limit_s(info: EngineInfo | None) -> float:
    """A worker cannot beat while it draws: one whose pictures take seconds may be silent longer."""
    return max(SILENCE_LIMIT_S, SILENT_PICTURES * info.render_ms / 1000 if info else 0.0)


def portrait_error(code: str, message: str) -> VisavisError:
    """The named error of a refusal that came over the pipe."""
    kinds: list[type[VisavisError]] = [*PortraitError.__subclasses__(), PortraitError, OutputError]
    for kind in kinds:
        if kind.code == code:
            return kind(message)
    return VisavisError(message)


def _ignore(_: object) -> None:
    """Until somebody listens."""


def _send_all(worker: _Worker) -> None:
    """Body of the sending thread; None ends it."""
    while (command := worker.commands.get()) is not None:
        try:
            worker.connection.send(command)
        except OSError:
            return


def _end(process: SpawnProcess) -> None:
    process.join(timeout=3)
    if process.is_alive():
        process.kill()
        process.join()


def _figures(info: EngineInfo) -> dict[str, object]:
    return {
        "engine": info.name,
        "device": info.device,
        "render_ms": round(info.render_ms, 1),
        "live_hop_ms": round(info.live.hop_ms, 1),
        "chunk_hop_ms": round(info.chunk.hop_ms, 1),
    }
