"""One ready-made program per batch size: a CUDA graph where that can be had.

A CUDA graph replays recorded kernels on fixed addresses, so its input lies in buffers that the
caller fills, and its output in a tensor that the next replay overwrites. The graphs of all batch
sizes share one memory pool: they are replayed on one stream only and each output is copied away
before the next replay, so none needs what another has left there. The largest is captured
first; the smaller ones then fit into its memory.

Where capture fails, the same network runs compiled, and where that fails, as it is written;
``fallbacks`` says so for each batch size, and a warning is logged.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from liveportrait.runtime.streams import CudaStreams, DeviceStreams

Execution = Literal["compiled_graph", "graph", "compiled", "eager"]
Network = Callable[..., Tensor]
Program = Callable[[], Tensor]

BATCH_SIZES = (1, 2, 4, 8, 16)
WARM_UP_CALLS = 3  # cuDNN chooses its algorithms, and allocators reach their final size
_NEXT: dict[Execution, Execution] = {
    "compiled_graph": "graph",
    "graph": "compiled",
    "compiled": "eager",
}
_logger = logging.getLogger(__name__)


class BatchPrograms:
    """A network at fixed batch sizes, over the first rows of its input buffers.

    ``inputs`` have the largest batch size as their first dimension, and must live as long as this
    object. ``prepare`` makes the programs, before the first frame: it takes seconds to minutes.
    """

    def __init__(
        self,
        network: Network,
        inputs: Sequence[Tensor],
        streams: DeviceStreams,
        sizes: Sequence[int] = BATCH_SIZES,
        execution: Execution = "graph",
        *,
        tf32: bool = False,
    ) -> None:
        self._network = network
        self._tf32 = tf32
        self._inputs = tuple(inputs)
        self._streams = streams
        self.sizes = tuple(sorted(set(sizes)))
        if not self.sizes or self.sizes[0] < 1 or self.sizes[-1] > min(map(len, self._inputs)):
            raise ValueError(f"batch sizes {self.sizes}; buffers for {len(self._inputs[0])}")
        self._wanted = execution
        self._pool: Any = None  # torch's own handle
        self._programs: dict[int, Program] = {}
        self.executions: dict[int, Execution] = {}  # how each size runs
        self.fallbacks: dict[int, str] = {}  # why not as wanted

    def prepare(self) -> None:
        """Make the program of every size, the largest first."""
        self._streams.synchronize()  # weights and buffers may still be on their way
        for size in reversed(self.sizes):
            self._programs[size] = self._prepared(size)

    def fitting(self, frames: int) -> int:
        """The smallest prepared size that holds so many frames. Raises ValueError if none does."""
        for size in self.sizes:
            if size >= frames >= 1:
                return size
        raise ValueError(f"{frames} frames; accepted: 1 to {self.sizes[-1]}")

    def run(self, size: int) -> Tensor:
        """Compute the first ``size`` rows of the inputs; to be called on the compute stream.

        The result is valid until the next call on that stream.
        """
        return self._programs[size]()

    def _prepared(self, size: int) -> Program:
        execution: Execution | None = self._wanted
        if self._streams.device.type != "cuda" and execution != "compiled":
            execution = "eager"  # graphs belong to CUDA; nothing was promised elsewhere
        while execution is not None:
            try:
                program = self._build(size, execution)
            except Exception as error:  # whatever capture or a compiler may raise
                reason = f"{execution}: {type(error).__name__}: {error}".splitlines()[0]
                if execution == "eager":
                    raise
                _logger.warning("batch size %d does not run as %s", size, reason)
                self.fallbacks[size] = "; ".join(filter(None, (self.fallbacks.get(size), reason)))
                execution = _NEXT.get(execution)
                continue
            self.executions[size] = execution
            return program
        raise AssertionError("eager either returns or raises")

    def _build(self, size: int, execution: Execution) -> Program:
        rows = tuple(x[:size] for x in self._inputs)
        network = self._network
        if execution in ("compiled", "compiled_graph"):
            network = compiled(network)

        def call() -> Tensor:
            with torch.inference_mode(), convolution_settings(tf32=self._tf32):
                return network(*rows)

        if self._streams.device.type == "cuda" or execution == "compiled":
            for _ in range(WARM_UP_CALLS):
                self._streams.compute.run(call)
            self._streams.synchronize()
        if execution in ("graph", "compiled_graph"):
            return self._capture(call)
        return call

    def _capture(self, call: Program) -> Program:
        """Record one call; the memory it uses stays its own and the other graphs'."""
        streams = self._streams
        if not isinstance(streams, CudaStreams):
            raise RuntimeError(f"no CUDA graphs on {streams.device}")
        if self._pool is None:
            self._pool = torch.cuda.graph_pool_handle()
        graph = torch.cuda.CUDAGraph()
        # thread_local: another thread may pin memory or copy while this one captures
        with torch.cuda.graph(
            graph, self._pool, streams.compute.raw, capture_error_mode="thread_local"
        ):
            output = call()
        streams.synchronize()

        def replay() -> Tensor:
            graph.replay()
            return output

        return replay


def compiled(network: Network) -> Network:
    """The network through torch's compiler, for one set of shapes at a time.

    Without the compiler's own graphs: ``compiled_graph`` captures one around it.
    """
    function: Network = torch.compile(network, dynamic=False, fullgraph=True)
    return function


@contextlib.contextmanager
def convolution_settings(*, tf32: bool, tune: bool = True) -> Iterator[None]:
    """cuDNN's and cuBLAS's process-wide switches, for the time of a call; then as before.

    ``tune``: measure cuDNN's algorithms once per shape. A captured graph keeps what was set and
    found when it was captured.
    """
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32
    cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32 = tune, tf32, tf32
    try:
        yield
    finally:
        cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32 = before
