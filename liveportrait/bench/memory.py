"""How much memory a row takes while it runs."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

_MEGABYTE = 1024 * 1024
_SAMPLES_PER_S = 50


@dataclass(slots=True)
class Peak:
    """Filled when the block ends."""

    mb: float = 0.0


@contextmanager
def peak_memory(device: str) -> Iterator[Peak]:
    """The most that was added during the block, over what was there when it began.

    CUDA: what torch allocated on the device. CPU: the process's resident size, looked at 50 times
    a second (Linux; elsewhere 0).
    """
    peak = Peak()
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        allocated = torch.cuda.memory_allocated()
        yield peak
        peak.mb = (torch.cuda.max_memory_allocated() - allocated) / _MEGABYTE
        return
    before, stop = resident_mb(), threading.Event()

    def watch() -> None:
        while not stop.wait(1 / _SAMPLES_PER_S):
            peak.mb = max(peak.mb, resident_mb() - before)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        stop.set()
        watcher.join()
        peak.mb = max(peak.mb, resident_mb() - before)


def resident_mb() -> float:
    """Of this process; 0 where /proc does not say."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    return next((int(x.split()[1]) / 1024 for x in lines if x.startswith("VmRSS:")), 0.0)
