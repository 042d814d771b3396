"""Child processes that give way to live sessions and never outlive their server."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

NICENESS = 10  # live sessions keep the cores, and a job still gets on beside them
END_WITHIN_S = 8.0  # an engine that is loading is killed after 3
_AUTOGROUP = Path("/proc/self/autogroup")


def start_process(
    target: Callable[..., None], name: str, *arguments: object
) -> tuple[BaseProcess, Connection]:
    """A spawned process and the near end of the pipe that it gets as its first argument."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=target, args=(theirs, *arguments), name=name)
    process.start()
    theirs.close()
    return process, ours


def end_process(process: BaseProcess) -> None:
    """Asks the process to end, then ends it together with all that it started."""
    if process.pid is None:
        return
    if process.is_alive():
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGTERM)  # it takes down its engine worker in order
    process.join(END_WITHIN_S)
    if process.exitcode != 0:  # it ended early, or not at all: what it started may still be there
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.join(END_WITHIN_S)


def give_way() -> None:
    """For a child process: its own group, low priority, and never without its server."""
    os.setsid()
    os.nice(NICENESS)
    with contextlib.suppress(OSError):
        # where the kernel shares the cores among sessions first, niceness counts within one only
        _AUTOGROUP.write_text(str(NICENESS))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's to handle
    signal.signal(signal.SIGTERM, _exit_in_order)
    parent = multiprocessing.parent_process()
    assert parent is not None
    threading.Thread(target=_die_with, args=(parent,), daemon=True).start()


def _exit_in_order(signum: int, frame: Any) -> None:
    del frame
    signal.signal(signum, signal.SIG_IGN)  # once is enough: what ends now is not disturbed
    raise SystemExit(1)


def _die_with(parent: Any) -> None:
    parent.join()
    os.killpg(0, signal.SIGKILL)
