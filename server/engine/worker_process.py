"""One engine worker as the server sees it: a process, and two threads that move its messages.

The event loop never waits for the pipe: one thread sends from a bounded queue, the other receives
and hands over to the loop.
"""

import asyncio
import atexit
import contextlib
import multiprocessing
import os
import queue
import threading
import time
from collections.abc import Callable

from server.engine.messages import Command, Reply, Shutdown
from server.engine.worker_main import WorkerStart, run_worker

QUEUED_COMMANDS = 4000  # more than ten seconds of every session's voice
END_LIMIT_S = 3.0  # for a worker that was asked to end
_SPAWN = multiprocessing.get_context("spawn")


class WorkerProcess:
    """``on_reply`` gets the worker and each of its replies, ``on_exit`` the worker after its last
    one; both are called on the event loop."""

    def __init__(
        self,
        start: WorkerStart,
        on_reply: "Callable[[WorkerProcess, Reply], None]",
        on_exit: "Callable[[WorkerProcess], None]",
    ) -> None:
        self.last_heard = time.monotonic()
        self.exit_code: int | None = None
        self._on_reply = on_reply
        self._on_exit = on_exit
        self._connection, self._far_end = _SPAWN.Pipe()
        # libraries read this when they load, before the worker can say it itself
        os.environ.setdefault("OMP_NUM_THREADS", str(start.config.threads))
        self._process = _SPAWN.Process(
            target=run_worker, args=(self._far_end, start), name="visavis-engine", daemon=True
        )
        self._commands: queue.Queue[Command | None] = queue.Queue(QUEUED_COMMANDS)

    @property
    def process_id(self) -> int | None:
        """The system's number for it."""
        return self._process.pid

    @property
    def queued_commands(self) -> int:
        """Commands that the worker has not taken yet."""
        return self._commands.qsize()

    async def start(self) -> None:
        """Start the process and its threads. Raises OSError when the system has none to give."""
        starting = asyncio.ensure_future(asyncio.to_thread(self._process.start))
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError:
            await asyncio.wait({starting})  # a thread goes on: its process must not be left over
            self.kill()
            raise
        except OSError:
            self._connection.close()
            raise
        finally:
            self._far_end.close()
        # the worker does not listen to SIGTERM, which is how multiprocessing ends what is left
        atexit.register(self.kill)
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._send_all, daemon=True).start()
        threading.Thread(target=self._receive_all, args=(loop,), daemon=True).start()

    def send(self, command: Command) -> bool:
        """Queue a command; False when the queue is full."""
        try:
            self._commands.put_nowait(command)
        except queue.Full:
            return False
        return True

    def kill(self) -> None:
        """End it at once."""
        if self._process.pid is not None and self.exit_code is None:
            self._process.kill()

    async def end(self) -> None:
        """Ask it to end, and make sure that it has."""
        if not (self.send(Shutdown()) and self._process.is_alive()):
            self.kill()
        await asyncio.to_thread(self._join)

    def _join(self) -> int | None:
        self._process.join(END_LIMIT_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        atexit.unregister(self.kill)
        return self._process.exitcode

    def _send_all(self) -> None:
        """Body of the sending thread; None ends it."""
        with contextlib.suppress(OSError, ValueError):  # the pipe is broken, or closed here
            while (command := self._commands.get()) is not None:
                self._connection.send(command)

    def _receive_all(self, loop: asyncio.AbstractEventLoop) -> None:
        """Body of the receiving thread; ends with the process or the loop."""
        try:
            with contextlib.suppress(EOFError, OSError):
                while True:
                    reply = self._connection.recv()
                    loop.call_soon_threadsafe(self._take, reply)
        except RuntimeError:
            return  # the loop is closed
        finally:
            self._end_sending()
        self.exit_code = self._join()
        self._connection.close()
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(self._on_exit, self)

    def _take(self, reply: Reply) -> None:
        self.last_heard = time.monotonic()
        self._on_reply(self, reply)

    def _end_sending(self) -> None:
        """A queue that is full has nobody to take from it any more."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._commands.get_nowait()
        with contextlib.suppress(queue.Full):
            self._commands.put_nowait(None)
