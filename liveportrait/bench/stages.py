"""The steps from the original to the optimised, in the order in which they are switched on."""

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

from liveportrait.bench.frames import BenchFrames
from liveportrait.bench.job import BenchJob
from liveportrait.bench.plain_decoder import PlainDecoder, Switches
from liveportrait.networks.networks import Networks
from liveportrait.source.paste_back import PasteBackPool, PasteJob, paste_back
from models.device import DevicePolicy
from models.shapes import FloatArray, Image

ON_CUDA_ONLY = "n/a on cpu: belongs to CUDA"


class Drawing(Protocol):
    """What a stage needs of a decoder."""

    def features(self, images: Image) -> list[Any]: ...

    def decode(self, sources: list[Any], x_s: FloatArray, x_d: FloatArray) -> Image: ...


@dataclass(frozen=True, slots=True)
class Stage:
    """One row: a decoder (made when it is first needed), frames per call, paste-back threads.

    ``left_out`` says why the step does not apply here; the other fields then mean nothing.
    """

    name: str
    detail: str
    make: Callable[[], Drawing] | None = None
    batch: int = 1
    workers: int = 0  # 0: paste back in the same thread, when the frame is there
    left_out: str | None = None


def draw(stage: Stage, decoder: Drawing, source: list[Any], frames: BenchFrames) -> list[Image]:
    """Draw and paste back every frame; the drawn crops, [512, 512, 3] each."""
    drawn: list[Image] = []

    def jobs() -> Iterator[PasteJob]:
        for part in frames.batches(stage.batch):
            for picture in decoder.decode(source, part.x_s, part.x_d):
                drawn.append(picture)
                yield PasteJob(picture, frames.to_photo, frames.photo, frames.mask)

    if stage.workers:
        for _ in PasteBackPool(stage.workers).run(jobs()):
            pass
    else:
        for job in jobs():
            paste_back(job.frame, job.to_photo, job.photo, frames.mask)
    return drawn


def stages(networks: Networks, job: BenchJob) -> list[Stage]:
    """All rows for the job's device, the original first."""
    return _cuda(networks, job) if job.real_device == "cuda" else _cpu(networks, job)


def _cpu(networks: Networks, job: BenchJob) -> list[Stage]:
    def plain(switches: Switches) -> Callable[[], Drawing]:
        return lambda: PlainDecoder(networks, "cpu", switches)

    policy = replace(DevicePolicy.for_this_machine(), device="cpu", threads=job.threads)
    if importlib.util.find_spec("openvino") is None:
        raise ImportError("the CPU's benchmark needs openvino")

    def fast() -> Drawing:
        from liveportrait.runtime.openvino_decoder import OpenVinoDecoder

        return OpenVinoDecoder(networks, policy)

    inference = Switches(inference_mode=True)
    algebra = replace(inference, algebra=True)
    half = policy.precision == "bf16"
    shared = make_once(fast)
    return [
        Stage("original", "eager fp32, a frame at a time, autograd on", plain(Switches())),
        Stage("inference mode", "nothing kept for training", plain(inference)),
        Stage("exact algebra", "folded norms, phase convolutions", plain(algebra)),
        Stage("channels_last", "weights and maps", plain(replace(algebra, channels_last=True))),
        _left_out("cuDNN autotune", ON_CUDA_ONLY),
        Stage(
            "compiled (OpenVINO)",
            ("bf16" if half else "fp32, Winograd")
            + ", sampling as matrix products; makes its own layouts",
            shared,
        ),
        _left_out(
            "half precision",
            "switched on with OpenVINO"
            if half
            else "n/a on cpu: this one has no bfloat16 instructions",
        ),
        Stage("batching", f"{job.real_batch} frames a call, in turn", shared, job.real_batch),
        _left_out("pinned memory + streams", ON_CUDA_ONLY),
        Stage(
            "parallel paste-back",
            f"{job.workers} threads while the next frame is drawn",
            shared,
            job.real_batch,
            job.workers,
        ),
    ]


def _cuda(networks: Networks, job: BenchJob) -> list[Stage]:
    def plain(switches: Switches) -> Callable[[], Drawing]:
        return make_once(lambda: PlainDecoder(networks, "cuda", switches))

    policy = DevicePolicy("cuda", "bf16", "torch")

    def overlapped() -> Drawing:
        from liveportrait.runtime.cuda_decoder import CudaDecoder, CudaOptions

        options = CudaOptions(sizes=(job.real_batch,), execution="compiled_graph")
        return CudaDecoder(networks, policy, "fast", options)

    inference = Switches(inference_mode=True)
    half = replace(inference, precision="bf16")
    tuned = replace(half, tuned=True)
    last = replace(tuned, channels_last=True)
    algebra = replace(last, algebra=True)
    program = plain(replace(algebra, compiled=True))
    shared = make_once(overlapped)
    return [
        Stage("original", "eager fp32, a frame at a time, autograd on", plain(Switches())),
        Stage("inference mode", "nothing kept for training", plain(inference)),
        Stage("half precision", "bf16", plain(half)),
        Stage("cuDNN autotune", "algorithms measured per shape", plain(tuned)),
        Stage("channels_last", "weights and maps", plain(last)),
        Stage("exact algebra", "folded norms, phase convolutions", plain(algebra)),
        Stage("compile", "torch.compile", program),
        Stage("batching", f"{job.real_batch} frames a call", program, job.real_batch),
        Stage(
            "pinned memory + streams",
            "copies under compute, a CUDA graph",
            shared,
            2 * job.real_batch,
        ),
        Stage(
            "parallel paste-back",
            f"{job.workers} threads while the next frames are drawn",
            shared,
            2 * job.real_batch,
            job.workers,
        ),
    ]


def make_once(make: Callable[[], Drawing]) -> Callable[[], Drawing]:
    """The same decoder for several rows."""
    made: list[Drawing] = []

    def get() -> Drawing:
        if not made:
            made.append(make())
        return made[0]

    return get


def _left_out(name: str, why: str) -> Stage:
    return Stage(name, "", left_out=why)
