"""An engine that stays loaded from one video to the next, in the process of both."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from multiprocessing.util import Finalize
from typing import Any, TypeVar

from server.engine.pool import EnginePool
from server.videos.offline import open_engine, read_sources, render_with
from server.videos.render_job import RenderJob

_CLOSE_WITHIN_S = 6.0
_Result = TypeVar("_Result")


class WarmEngine:
    """The engine that was used last, and an event loop in a thread that keeps it alive."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._engine = ""
        self._pool: EnginePool | None = None
        self._opened = AsyncExitStack()
        self._rendering: asyncio.Task[Any] | None = None
        threading.Thread(target=self._loop.run_forever, name="engine", daemon=True).start()
        # before this process ends its children, which would wait for an engine that is in use
        Finalize(None, self.close, exitpriority=100)

    def render(self, job: RenderJob, report: Callable[[int, int], None]) -> None:
        """As ``render_file``. Raises what that raises."""
        self._wait(self._render(job, report), None)

    def is_loaded(self, engine: str) -> bool:
        """Whether a video with ``engine`` can begin at once."""
        return self._pool is not None and self._engine == engine

    def close(self) -> None:
        """End what runs, and the engine's worker."""
        self._wait(self._end(), _CLOSE_WITHIN_S)

    async def _end(self) -> None:
        if self._rendering is not None and not self._rendering.done():
            self._rendering.cancel()  # the engine may still be loading: it must not be left behind
            await asyncio.wait({self._rendering})
        await self._forget()

    async def _render(self, job: RenderJob, report: Callable[[int, int], None]) -> None:
        self._rendering = asyncio.current_task()
        sources = await read_sources(job)
        try:
            await render_with(await self._pool_for(job.engine, sources.image), job, sources, report)
        except BaseException:
            await self._forget()  # whatever it was, the next video begins afresh
            raise

    async def _pool_for(self, engine: str, image: bytes) -> EnginePool:
        if self._pool is None or self._engine != engine:
            await self._forget()
            self._pool = await self._opened.enter_async_context(open_engine(engine, image))
            self._engine = engine
        return self._pool

    async def _forget(self) -> None:
        self._pool = None
        await self._opened.aclose()

    def _wait(self, work: Coroutine[Any, Any, _Result], limit_s: float | None) -> _Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(limit_s)


_warm: WarmEngine | None = None


def warm_engine() -> WarmEngine:
    """This process's, made with the first video."""
    global _warm
    if _warm is None:
        _warm = WarmEngine()
    return _warm
