"""Work in stages that overlap: every stage keeps its order and holds a bounded number of items.

Reading, networks, paste-back and writing wait for different things (disk, cores or a GPU, memory,
the encoder); run one after the other they would add up.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import TypeVar

In = TypeVar("In")
Out = TypeVar("Out")
_POLL_S = 0.05


class _End:
    """Marks the end of a queue, with the error that ended it, if any."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def read_ahead(items: Iterable[In], depth: int) -> Iterator[In]:
    """The same items, made by a thread that is at most ``depth`` items ahead.

    An error of ``items`` is raised here, after the items before it.
    """
    queue: Queue[In | _End] = Queue(depth)
    stopped = Event()

    def put(item: In | _End) -> None:
        while not stopped.is_set():
            try:
                queue.put(item, timeout=_POLL_S)
                return
            except Full:
                continue

    def produce() -> None:
        try:
            for item in items:
                put(item)
                if stopped.is_set():
                    return
        except BaseException as error:  # goes on in the thread that waits for the items
            put(_End(error))
        else:
            put(_End())

    thread = Thread(target=produce, name="read-ahead", daemon=True)
    thread.start()
    try:
        while True:
            item = _taken(queue, thread)
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        stopped.set()
        thread.join()


def _taken(queue: "Queue[In | _End]", thread: Thread) -> In | _End:
    while True:
        try:
            return queue.get(timeout=_POLL_S)
        except Empty:
            if not thread.is_alive() and queue.empty():
                return _End()


def in_parallel(items: Iterable[In], work: Callable[[In], Out], workers: int) -> Iterator[Out]:
    """``map`` by ``workers`` threads, in order, with at most twice as many items under way."""
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[Out]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) >= 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def in_batches(items: Iterable[In], size: int) -> Iterator[list[In]]:
    """Lists of ``size`` items, the last one maybe shorter."""
    batch: list[In] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
