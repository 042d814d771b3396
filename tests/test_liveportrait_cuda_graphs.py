"""Programs per batch size: what runs, what it falls back to, and what is said about it."""

import logging

import pytest
import torch
from torch import Tensor, nn

from liveportrait.runtime import cuda_graphs
from liveportrait.runtime.cuda_graphs import BatchPrograms, Program, convolution_settings
from liveportrait.runtime.streams import CpuStreams, CudaStreams

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


class OneCuda(CpuStreams):
    """Says that it is a GPU, to test what happens when that has no luck."""

    def __init__(self) -> None:
        super().__init__()
        self.device = torch.device("cuda")


def double(x: Tensor) -> Tensor:
    return 2 * x


def test_a_program_reads_the_first_rows_of_the_buffers() -> None:
    x = torch.arange(8.0).view(8, 1)
    programs = BatchPrograms(double, (x,), CpuStreams(), sizes=(8, 1, 4))
    programs.prepare()
    assert programs.sizes == (1, 4, 8)
    assert programs.run(4).flatten().tolist() == [0, 2, 4, 6]
    x.fill_(5)
    assert programs.run(1).tolist() == [[10]]
    assert set(programs.executions.values()) == {"eager"}
    assert not programs.fallbacks  # a CPU promised no graphs


def test_frames_go_to_the_next_larger_size() -> None:
    programs = BatchPrograms(double, (torch.zeros(16, 1),), CpuStreams())
    assert [programs.fitting(n) for n in (1, 2, 3, 5, 8, 9, 16)] == [1, 2, 4, 8, 8, 16, 16]
    for frames in (0, 17):
        with pytest.raises(ValueError, match="accepted: 1 to 16"):
            programs.fitting(frames)


@pytest.mark.parametrize("sizes", [(), (0, 1), (4,)])
def test_sizes_must_fit_the_buffers(sizes: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="batch sizes"):
        BatchPrograms(double, (torch.zeros(2, 1),), CpuStreams(), sizes=sizes)


def test_a_failed_capture_falls_back_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_compiler(_: object) -> Program:
        raise OSError("no C compiler")

    monkeypatch.setattr(cuda_graphs, "compiled", no_compiler)
    with caplog.at_level(logging.WARNING):
        programs = BatchPrograms(double, (torch.ones(2, 1),), OneCuda(), (1, 2), "compiled_graph")
        programs.prepare()
    assert programs.executions == {1: "eager", 2: "eager"}
    assert programs.fallbacks[2] == (
        "compiled_graph: OSError: no C compiler; graph: RuntimeError: no CUDA graphs on cuda; "
        "compiled: OSError: no C compiler"
    )
    assert "batch size 2 does not run as graph" in caplog.text
    assert programs.run(2).tolist() == [[2], [2]]


def test_the_compiled_network_is_the_second_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def counted(x: Tensor) -> Tensor:
        calls.append(len(x))
        return double(x)

    monkeypatch.setattr(cuda_graphs, "compiled", lambda _: counted)
    programs = BatchPrograms(double, (torch.ones(2, 1),), OneCuda(), (2,), "graph")
    programs.prepare()
    assert programs.executions == {2: "compiled"}
    assert calls == [2] * cuda_graphs.WARM_UP_CALLS
    assert programs.run(2).tolist() == [[2], [2]]


def test_a_network_that_fails_as_written_is_an_error() -> None:
    def broken(_: Tensor) -> Tensor:
        raise RuntimeError("wrong shape")

    with pytest.raises(RuntimeError, match="wrong shape"):
        BatchPrograms(broken, (torch.ones(1, 1),), OneCuda(), (1,)).prepare()


def test_switches_are_as_before_after_a_call() -> None:
    def switches() -> tuple[bool, bool, bool]:
        cudnn = torch.backends.cudnn
        return cudnn.benchmark, cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32

    before = switches()
    seen: list[tuple[bool, bool, bool]] = []

    def look(x: Tensor) -> Tensor:
        seen.append(switches())
        return x

    for tf32 in (False, True):
        programs = BatchPrograms(look, (torch.ones(1, 1),), CpuStreams(), (1,), tf32=tf32)
        programs.prepare()
        programs.run(1)
    assert seen == [(True, False, False), (True, True, True)]
    with pytest.raises(KeyError), convolution_settings(tf32=False):
        raise KeyError
    assert switches() == before


@pytest.mark.gpu
@needs_cuda
@pytest.mark.parametrize("execution", ["graph", "compiled_graph", "compiled", "eager"])
def test_on_a_gpu_every_execution_gives_the_eager_result(
    execution: cuda_graphs.Execution,
) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.InstanceNorm2d(8), nn.ReLU())
    network = network.cuda().eval()
    x = torch.zeros(4, 3, 16, 16, device="cuda")
    programs = BatchPrograms(network, (x,), CudaStreams(), (1, 2, 4), execution)
    programs.prepare()
    assert programs.executions == dict.fromkeys((1, 2, 4), execution)
    for size in (4, 1, 2, 4):  # each after another has used the shared pool
        x.copy_(torch.randn_like(x))
        torch.cuda.synchronize()
        with torch.inference_mode(), convolution_settings(tf32=False):
            expected = network(x[:size])
            result = programs.run(size)
            torch.cuda.synchronize()
            assert torch.allclose(result, expected, atol=1e-5)
