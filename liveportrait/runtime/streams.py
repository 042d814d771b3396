"""Two queues of work on a device, one for computing and one for copying, and events between them.

Work is handed over as functions. On CUDA they are called with the stream current, so what they
launch is queued there and the host goes on; on a CPU they are done at once, in the order in which
they come. Callers state every dependency between the two queues by an event: a test runs the
same callers over streams that put work off and do it in any order that the events allow.
"""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from models.device import DevicePolicy

Work = Callable[[], object]


class Event(Protocol):
    """A point in a stream's queue."""

    def done(self) -> bool:
        """Whether the stream has come past it; never waits."""
        ...

    def wait(self) -> None:
        """Block the calling thread until the stream has come past it."""
        ...


class Stream(Protocol):
    """A queue whose work is done in order."""

    def run(self, work: Work) -> None:
        """Queue what ``work`` launches."""
        ...

    def record(self) -> Event:
        """An event after all that is queued so far."""
        ...

    def wait_for(self, event: Event) -> None:
        """What is queued from now on begins after ``event``; the host does not wait."""
        ...


class DeviceStreams(Protocol):
    """The queues of one device, and host memory that it can copy to by itself."""

    @property
    def device(self) -> torch.device: ...

    @property
    def compute(self) -> Stream: ...

    @property
    def copy(self) -> Stream: ...

    def host_buffer(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Zeros in host memory: page-locked on CUDA, so that copies run beside the host."""
        ...

    def synchronize(self) -> None:
        """Block until the device has nothing left to do, on these streams or any other."""
        ...


class _Done:
    """An event of work that is done as soon as it is queued."""

    def done(self) -> bool:
        return True

    def wait(self) -> None:
        return


class _ImmediateStream:
    def run(self, work: Work) -> None:
        work()

    def record(self) -> Event:
        return _Done()

    def wait_for(self, event: Event) -> None:
        event.wait()


class CpuStreams:
    """The CPU: work is done when it is queued, and host memory is plain."""

    def __init__(self) -> None:
        self.device = torch.device("cpu")
        self.compute: Stream = _ImmediateStream()
        self.copy: Stream = _ImmediateStream()

    def host_buffer(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        return torch.zeros(shape, dtype=dtype)

    def synchronize(self) -> None:
        return


class _CudaEvent:
    def __init__(self, event: torch.cuda.Event) -> None:
        self.event = event

    def done(self) -> bool:
        return bool(self.event.query())  # type: ignore[no-untyped-call]

    def wait(self) -> None:
        self.event.synchronize()


class CudaStream:
    """A CUDA stream of its own; ``raw`` is for what needs torch's, such as a graph capture."""

    def __init__(self, device: torch.device, priority: int) -> None:
        self.raw = torch.cuda.Stream(device, priority=priority)  # type: ignore[no-untyped-call]

    def run(self, work: Work) -> None:
        with torch.cuda.stream(self.raw):
            work()

    def record(self) -> Event:
        # blocking: a host thread that waits sleeps, and leaves its core to the encoders
        event = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
        event.record(self.raw)
        return _CudaEvent(event)

    def wait_for(self, event: Event) -> None:
        if isinstance(event, _CudaEvent):
            self.raw.wait_event(event.event)
        else:
            event.wait()


class CudaStreams:
    """One CUDA device. Copies have the higher priority: short, and somebody waits for them."""

    def __init__(self, device: torch.device | None = None) -> None:
        self.device = device or torch.device("cuda", torch.cuda.current_device())
        self.compute = CudaStream(self.device, 0)
        self.copy = CudaStream(self.device, -1)

    def host_buffer(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        return torch.zeros(shape, dtype=dtype, pin_memory=True)

    def synchronize(self) -> None:
        torch.cuda.synchronize(self.device)


def streams_for(policy: DevicePolicy) -> DeviceStreams:
    """The streams of a policy's device: the one place where the device decides."""
    return CudaStreams() if policy.device == "cuda" else CpuStreams()
