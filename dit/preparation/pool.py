"""Work on many clips in several processes: results in the order of the clips, memory bounded.

A clip whose decoder crashes takes its process along, and with it the whole pool. Then the clips
that were under way are tried again one by one, each in a process of its own: the one that ends it
is reported, and the others go on.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TypeVar

In = TypeVar("In")
Out = TypeVar("Out")

AHEAD = 4  # clips waiting for each process


def in_processes(
    work: Callable[[In], Out],
    items: Iterable[In],
    processes: int,
    crashed: Callable[[In], Out],
) -> Iterator[Out]:
    """``work`` of every item, in order; ``crashed(item)`` for one that ended its process.

    ``work`` must be picklable. One process is this one, without protection from crashes.
    """
    if processes == 1:
        yield from map(work, items)
        return
    waiting: deque[tuple[In, Future[Out]]] = deque()
    pool, source = _pool(processes), iter(items)
    try:
        while True:
            while len(waiting) < AHEAD * processes and (item := next(source, None)) is not None:
                waiting.append((item, pool.submit(work, item)))
            if not waiting:
                return
            item, future = waiting.popleft()
            try:
                result = future.result()
            except BrokenProcessPool:
                pool.shutdown(cancel_futures=True)
                under_way = [item, *(other for other, _ in waiting)]
                waiting.clear()
                for single in under_way:
                    yield _alone(work, single, crashed)
                pool = _pool(processes)
            else:
                yield result
    finally:
        pool.shutdown(cancel_futures=True)


def _alone(work: Callable[[In], Out], item: In, crashed: Callable[[In], Out]) -> Out:
    with _pool(1) as pool:
        try:
            return pool.submit(work, item).result()
        except BrokenProcessPool:
            return crashed(item)


def _pool(processes: int) -> ProcessPoolExecutor:
    # spawn: a fork copies the locks of networks and decoders as they happen to be
    return ProcessPoolExecutor(processes, mp_context=get_context("spawn"))
