"""Record a module's forward as an OpenVINO graph by running it once on symbols.

``openvino.convert_model`` traces a module by executing it, and takes minutes over the thousands of
small convolutions of ``winograd``. A ``Symbol`` stands for a tensor of a fixed shape: torch hands
the functions applied to it to ``__torch_function__``, which adds the OpenVINO operation and returns
the next symbol. Only what the networks of this folder use is known here; anything else is refused.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

Numbers = Sequence[int]


class Symbol:
    """A tensor of the graph."""

    def __init__(self, output: Any) -> None:
        self.output = output
        self.shape = torch.Size(output.get_shape())

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @classmethod
    def __torch_function__(
        cls,
        function: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """What torch calls instead of ``function`` when an argument is a symbol."""
        name = getattr(function, "__name__", str(function))
        if name not in _FUNCTIONS:
            raise NotImplementedError(f"torch function {name} has no OpenVINO form here")
        return _FUNCTIONS[name](*args, **(kwargs or {}))

    def __add__(self, other: Any) -> "Symbol":
        return _apply("add", self, other)

    def __sub__(self, other: Any) -> "Symbol":
        return _apply("subtract", self, other)

    def __mul__(self, other: Any) -> "Symbol":
        return _apply("multiply", self, other)

    __radd__ = __add__
    __rmul__ = __mul__

    def reshape(self, *shape: int) -> "Symbol":
        known = abs(math.prod(shape))
        shape = tuple(math.prod(self.shape) // known if n == -1 else n for n in shape)
        return _apply("reshape", self, np.array(shape), special_zero=False)

    def flatten(self, first: int = 0, last: int = -1) -> "Symbol":
        last %= self.ndim
        joined = math.prod(self.shape[first : last + 1])
        return self.reshape(*self.shape[:first], joined, *self.shape[last + 1 :])

    def permute(self, *axes: int) -> "Symbol":
        return _apply("transpose", self, np.array(axes))

    def chunk(self, count: int, dim: int) -> tuple["Symbol", ...]:
        node = _ops().split(self.output, np.int64(dim), count)
        return tuple(Symbol(node.output(i)) for i in range(count))

    def narrow(self, dim: int, start: int, length: int) -> "Symbol":
        ends = (np.array([n]) for n in (start, start + length, 1, dim % self.ndim))
        return _apply("slice", self, *ends)

    def unflatten(self, dim: int, sizes: Numbers) -> "Symbol":
        return self.reshape(*self.shape[:dim], *sizes, *self.shape[dim + 1 :])


def record(module: nn.Module, *shapes: Numbers) -> Any:
    """The module as an OpenVINO model: inputs of ``shapes``, float32; outputs as it returns them.

    Raises NotImplementedError when the module applies a function that is not known here.
    """
    import openvino

    parameters = [_ops().parameter(list(shape), np.float32) for shape in shapes]
    with torch.no_grad():
        outputs = module(*(Symbol(parameter.output(0)) for parameter in parameters))
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    return openvino.Model([symbol.output for symbol in outputs], parameters, type(module).__name__)


def _ops() -> Any:
    from openvino import opset13

    return opset13


def _value(x: Any) -> Any:
    """A symbol's output, or a constant; constants share the module's memory."""
    if isinstance(x, Symbol):
        return x.output
    if isinstance(x, Tensor):
        array = np.ascontiguousarray(x.detach().numpy())
        return _ops().constant(array, shared_memory=True)
    if isinstance(x, np.ndarray):
        return _ops().constant(x)
    return _ops().constant(np.float32(x))


def _apply(name: str, *inputs: Any, **attributes: Any) -> Symbol:
    node = getattr(_ops(), name)(*(_value(x) for x in inputs), **attributes)
    return Symbol(node.output(0))


def _convolution(dims: int) -> Callable[..., Symbol]:
    def convolution(
        x: Symbol,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: int | Numbers = 1,
        padding: int | Numbers = 0,
        dilation: int | Numbers = 1,
        groups: int = 1,
    ) -> Symbol:
        stride, padding, dilation = (
            [n] * dims if isinstance(n, int) else list(n) for n in (stride, padding, dilation)
        )
        if groups == 1:
            name, kernel = "convolution", weight
        else:
            name, kernel = "group_convolution", weight.reshape(groups, -1, *weight.shape[1:])
        out = _apply(
            name,
            x,
            kernel,
            strides=stride,
            pads_begin=padding,
            pads_end=padding,
            dilations=dilation,
        )
        return out if bias is None else out + bias.view(-1, *(1,) * dims)

    return convolution


def _pad(x: Symbol, pad: Numbers, mode: str = "constant", value: float | None = None) -> Symbol:
    if mode != "constant" or value:
        raise NotImplementedError(f"padding by {mode} {value} has no OpenVINO form here")
    begin, end = np.zeros(x.ndim, np.int64), np.zeros(x.ndim, np.int64)
    for i in range(len(pad) // 2):
        begin[-1 - i], end[-1 - i] = pad[2 * i], pad[2 * i + 1]
    return _apply("pad", x, begin, end, pad_mode="constant", arg_pad_value=_value(0.0))


def _interpolate(
    x: Symbol,
    size: Any = None,
    scale_factor: float = 1.0,
    mode: str = "nearest",
    **_: Any,
) -> Symbol:
    if size is not None or mode != "nearest":
        raise NotImplementedError("only nearest upsampling by a factor has an OpenVINO form here")
    return _apply(
        "interpolate",
        x,
        np.array([scale_factor] * (x.ndim - 2), np.float32),
        mode="nearest",
        shape_calculation_mode="scales",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
        axes=np.arange(2, x.ndim),
    )


def _instance_norm(x: Symbol, *_: Any, eps: float = 1e-5, **__: Any) -> Symbol:
    axes = np.arange(2, x.ndim)
    return _apply("mvn", x, axes, normalize_variance=True, eps=eps, eps_mode="inside_sqrt")


def _pool(x: Symbol, kernel: int | Numbers, *_: Any, **__: Any) -> Symbol:
    size = [kernel] * (x.ndim - 2) if isinstance(kernel, int) else list(kernel)
    nothing = [0] * len(size)
    return _apply(
        "avg_pool",
        x,
        strides=size,
        pads_begin=nothing,
        pads_end=nothing,
        kernel_shape=size,
        exclude_pad=True,
    )


def _pixel_shuffle(x: Symbol, factor: int) -> Symbol:
    return _apply("depth_to_space", x, mode="depth_first", block_size=factor)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "conv2d": _convolution(2),
    "conv3d": _convolution(3),
    "pad": _pad,
    "interpolate": _interpolate,
    "instance_norm": _instance_norm,
    "avg_pool2d": _pool,
    "avg_pool3d": _pool,
    "pixel_shuffle": _pixel_shuffle,
    "relu": lambda x, inplace=False: _apply("relu", x),  # noqa: ARG005
    "leaky_relu": lambda x, negative_slope=0.01, inplace=False: _apply(  # noqa: ARG005
        "prelu", x, np.array([negative_slope], np.float32)
    ),
    "sigmoid": lambda x: _apply("sigmoid", x),
    "cat": lambda tensors, dim=0: Symbol(
        _ops().concat([_value(t) for t in tensors], dim).output(0)
    ),
    "add": lambda a, b: _apply("add", a, b),
    "sub": lambda a, b: _apply("subtract", a, b),
    "mul": lambda a, b: _apply("multiply", a, b),
}
