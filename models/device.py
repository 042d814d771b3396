"""Where and how precisely networks run, and how a torch module becomes a fast callable.

Small networks on a CPU run through OpenVINO (converted once, cached by content); torch stays the
reference and serves CUDA. Callers see NumPy arrays on both paths.
"""

import hashlib
import importlib.util
import inspect
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch

from models.errors import ConfigError
from models.shapes import AnyArray, FloatArray

Device = Literal["cpu", "cuda"]
Precision = Literal["fp32", "bf16", "fp16"]
Backend = Literal["torch", "openvino"]
CompiledNetwork = Callable[..., FloatArray]

TORCH_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_OPENVINO_PRECISIONS = {"fp32": "f32", "bf16": "bf16"}
DEFAULT_CACHE_DIR = Path(__file__).resolve().parent.parent / "weights" / ".cache"


@dataclass(frozen=True, slots=True)
class DevicePolicy:
    """How networks run in this process.

    Raises ConfigError for unknown values and for pairs that make no sense: fp16 on a CPU (slow and
    less precise than bf16 there) and OpenVINO on CUDA.
    """

    device: Device = "cpu"
    precision: Precision = "fp32"
    backend: Backend = "torch"
    threads: int = 1  # per network; two threads fight over the cores when sessions share them

    def __post_init__(self) -> None:
        for name, accepted in (("device", Device), ("precision", Precision), ("backend", Backend)):
            if getattr(self, name) not in get_args(accepted):
                raise ConfigError(
                    f"{name} is {getattr(self, name)!r}; accepted: {', '.join(get_args(accepted))}"
                )
        if self.threads < 1:
            raise ConfigError(f"threads is {self.threads}; accepted: 1 and more")
        if self.device == "cpu" and self.precision == "fp16":
            raise ConfigError("precision fp16 is for cuda; on a cpu accepted: fp32, bf16")
        if self.device == "cuda" and self.backend == "openvino":
            raise ConfigError("backend openvino is for the cpu; on cuda accepted: torch")

    @classmethod
    def for_this_machine(cls) -> "DevicePolicy":
        """CUDA in bf16 when there is a GPU; otherwise the CPU through OpenVINO, in bf16 where the
        CPU has instructions for it; plain torch when OpenVINO is not installed."""
        if torch.cuda.is_available():
            return cls("cuda", "bf16", "torch")
        if importlib.util.find_spec("openvino") is None:
            return cls("cpu", "fp32", "torch")
        import openvino

        native = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        return cls("cpu", "bf16" if "BF16" in native else "fp32", "openvino")


def compile_network(
    module: torch.nn.Module,
    examples: tuple[torch.Tensor, ...],
    policy: DevicePolicy,
    name: str,
    cache_dir: Path = DEFAULT_CACHE_DIR,
) -> CompiledNetwork:
    """Turn ``module`` into a function of NumPy arrays that returns its one output as float32.

    Inputs must keep the shapes of ``examples``. ``name`` names the file in the cache. The function
    is not safe to call from two threads at once.
    """
    module = module.eval()
    if policy.backend == "openvino":
        return _compile_openvino(module, examples, policy, name, cache_dir)
    return _compile_torch(module, policy)


def _compile_torch(module: torch.nn.Module, policy: DevicePolicy) -> CompiledNetwork:
    dtype = TORCH_DTYPES[policy.precision]
    module = module.to(policy.device)

    def run(*inputs: AnyArray) -> FloatArray:
        tensors = [torch.from_numpy(np.ascontiguousarray(x)).to(policy.device) for x in inputs]
        with (
            torch.inference_mode(),
            torch.autocast(policy.device, dtype, enabled=dtype is not torch.float32),
        ):
            output: FloatArray = module(*tensors).float().cpu().numpy()
        return output

    return run


def _compile_openvino(
    module: torch.nn.Module,
    examples: tuple[torch.Tensor, ...],
    policy: DevicePolicy,
    name: str,
    cache_dir: Path,
) -> CompiledNetwork:
    import openvino

    key = network_key(module, examples, openvino.__version__)
    path = cache_dir / f"{name}-{key[:20]}.xml"
    core = openvino.Core()
    if path.is_file() and path.with_suffix(".bin").is_file():
        model = core.read_model(path)
    else:
        model = _convert(module, examples)
        _save_whole(model, path)
    compiled = core.compile_model(model, "CPU", openvino_settings(policy))
    request = compiled.create_infer_request()

    def run(*inputs: AnyArray) -> FloatArray:
        request.infer([np.ascontiguousarray(x) for x in inputs])
        # a copy, because the next call overwrites the request's own buffer
        return np.array(request.get_output_tensor(0).data, np.float32)

    return run


def openvino_settings(policy: DevicePolicy) -> dict[str, Any]:
    """What ``openvino.Core().compile_model`` is told for this policy."""
    return {
        "INFERENCE_NUM_THREADS": policy.threads,
        "INFERENCE_PRECISION_HINT": _OPENVINO_PRECISIONS[policy.precision],
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        # pinned threads of several workers would all land on the first cores
        "ENABLE_CPU_PINNING": False,
    }


def _convert(module: torch.nn.Module, examples: tuple[torch.Tensor, ...]) -> Any:
    """The module as an OpenVINO model of fixed shapes."""
    import openvino

    # tracing runs the module's own Python and reports every shape test in it as a warning
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = openvino.convert_model(module, example_input=examples)
    model.reshape({port: list(x.shape) for port, x in zip(model.inputs, examples, strict=True)})
    return model


def _save_whole(model: Any, path: Path) -> None:
    """Save under a name of this process first, so that another process never reads half a file."""
    import openvino

    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.stem}.{os.getpid()}.part.xml")
    openvino.save_model(model, part, compress_to_fp16=False)
    part.with_suffix(".bin").replace(path.with_suffix(".bin"))
    part.replace(path)


def network_key(module: torch.nn.Module, examples: tuple[torch.Tensor, ...], version: str) -> str:
    """sha256 over everything that shapes the converted network: code, weights, input shapes."""
    digest = hashlib.sha256(f"{version}\n{torch.__version__}\n{module!r}".encode())
    for cls in sorted({type(m) for m in module.modules()}, key=lambda c: c.__qualname__):
        if not cls.__module__.startswith("torch."):
            digest.update(inspect.getsource(cls).encode())
    for example in examples:
        digest.update(f"{tuple(example.shape)} {example.dtype}".encode())
    for key, value in module.state_dict().items():
        digest.update(key.encode())
        digest.update(value.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
