"""Threads of the worker that give way to its drawing, where the system can."""

import contextlib
import os
import threading

MOTION_NICENESS = 3  # beyond the worker's own: a hop has more time to spare than a picture
BACKGROUND_NICENESS = 5


def lower_priority(niceness: int) -> None:
    """Of the calling thread alone, by so much."""
    thread = threading.get_native_id()
    with contextlib.suppress(OSError):
        own = os.getpriority(os.PRIO_PROCESS, thread)
        os.setpriority(os.PRIO_PROCESS, thread, own + niceness)
