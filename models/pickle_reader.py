"""Read a pickle without unpickling: numbers, text, lists, dicts and NumPy arrays, nothing else.

A pickle is a program, and Python's own ``pickle`` runs it: whoever wrote the file decides what is
called. Here its operations are only looked at. Names of functions are symbols in a fixed table and
each stands for code of this file; there is no way to reach any other function, class or attribute.
Time and memory stay in proportion to the file, whatever it repeats by reference.
"""

import pickletools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from models.errors import TemplateError, UnsafeTemplateError
from models.shapes import AnyArray

_CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_LITERALS = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
}
_NUMBER_TYPES = {"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"}
_MARK = object()


@dataclass(frozen=True, slots=True)
class _Symbol:
    """The name of something in a Python module."""

    name: str


@dataclass(slots=True)
class _Dtype:
    """A NumPy type on its way: its code is there first, its byte order follows."""

    code: str
    order: str = "<"


@dataclass(slots=True)
class _Array:
    """A NumPy array on its way: ``value`` is there after its BUILD."""

    value: AnyArray | None = None


def read_pickle(data: bytes) -> Any:
    """The object in a pickle (protocol 3 and later) of plain containers and arrays of numbers.

    Tuples come out as lists. Raises UnsafeTemplateError, which names what was refused, when the
    pickle asks for anything else; TemplateError when it is damaged or no pickle.
    """
    try:
        return _finished(_Machine().run(pickletools.genops(data)), {})
    except (ValueError, TypeError, IndexError, KeyError, AttributeError, OverflowError) as wrong:
        raise TemplateError(f"not a pickle, or a damaged one ({str(wrong)[:200]})") from wrong
    except (RecursionError, MemoryError) as wrong:
        raise TemplateError("the pickle is nested too deeply or too large") from wrong
    except Warning as wrong:  # of pickletools about odd text, where warnings are errors
        raise TemplateError(f"not a pickle, or a damaged one ({wrong})") from wrong


@dataclass(slots=True)
class _Machine:
    """The pickle machine: a stack, a memo, and a fixed table of what may be called."""

    stack: list[Any] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def run(self, operations: Iterator[tuple[pickletools.OpcodeInfo, Any, int | None]]) -> Any:
        for operation, argument, _ in operations:
            if operation.name == "STOP":
                return self.stack.pop()
            if operation.name in _LITERALS:
                self.stack.append(argument)
            elif operation.name in _CONSTANTS:
                self.stack.append(_CONSTANTS[operation.name])
            else:
                self.step(operation.name, argument)
        raise ValueError("it ends too early")

    def step(self, name: str, argument: Any) -> None:
        """One operation that is no literal."""
        stack = self.stack
        match name:
            case "PROTO" | "FRAME":
                pass
            case "MARK":
                stack.append(_MARK)
            case "EMPTY_DICT":
                stack.append({})
            case "EMPTY_LIST":
                stack.append([])
            case "EMPTY_TUPLE":
                stack.append(())
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                stack.append(tuple(self.pop(int(name[-1]))))
            case "TUPLE":
                stack.append(tuple(self.to_mark()))
            case "SETITEM":
                self.set_items(self.pop(2))
            case "SETITEMS":
                self.set_items(self.to_mark())
            case "APPEND":
                self.extend(self.pop(1))
            case "APPENDS":
                self.extend(self.to_mark())
            case "MEMOIZE":
                self.memo[len(self.memo)] = stack[-1]
            case "BINPUT" | "LONG_BINPUT":
                self.memo[argument] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(self.memo[argument])
            case "GLOBAL":
                stack.append(_symbol(*argument.split(" ", 1)))
            case "STACK_GLOBAL":
                stack.append(_symbol(*self.pop(2)))
            case "REDUCE":
                stack.append(_called(*self.pop(2)))
            case "BUILD":
                stack.append(_built(*self.pop(2)))
            case _:
                raise UnsafeTemplateError(f"the pickle holds the operation {name}: refused")

    def pop(self, count: int) -> list[Any]:
        if len(self.stack) < count:
            raise ValueError("its stack is empty")
        taken = self.stack[-count:]
        del self.stack[-count:]
        return taken

    def to_mark(self) -> list[Any]:
        """Take everything above the last mark off the stack, and the mark."""
        at = len(self.stack) - 1
        while at >= 0 and self.stack[at] is not _MARK:
            at -= 1
        if at < 0:
            raise ValueError("a mark is missing")
        taken = self.stack[at + 1 :]
        del self.stack[at:]
        return taken

    def set_items(self, pairs: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict) or len(pairs) % 2:
            raise ValueError("an item is set on something that is no dict")
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            if not isinstance(key, str):  # hashing a tuple may take for ever
                raise UnsafeTemplateError("the pickle holds dict keys that are no text: refused")
            target[key] = value

    def extend(self, values: list[Any]) -> None:
        if not isinstance(self.stack[-1], list):
            raise ValueError("something is appended to what is no list")
        self.stack[-1].extend(values)


def _symbol(module: Any, name: Any) -> _Symbol:
    if not isinstance(module, str) or not isinstance(name, str):
        raise ValueError("a name that is no text")
    full = f"{module}.{name}"
    if full not in _SYMBOLS:
        raise UnsafeTemplateError(f"the pickle asks for {full[:200]}, which is no number: refused")
    return _Symbol(full)


def _called(symbol: Any, arguments: Any) -> Any:
    if not isinstance(symbol, _Symbol) or not isinstance(arguments, tuple):
        raise UnsafeTemplateError("the pickle calls something that has no name: refused")
    return _SYMBOLS[symbol.name](*arguments)


def _built(target: Any, state: Any) -> Any:
    """The state of an array or an array's type, as NumPy's ``__setstate__`` gets it."""
    if isinstance(target, _Array):
        _, shape, dtype, fortran, data = state
        target.value = _array(data, dtype, shape, "F" if fortran else "C")
    elif isinstance(target, _Dtype):
        if state[1] not in ("<", ">", "|"):
            raise ValueError("an unknown byte order")
        target.order = state[1]
    else:
        raise UnsafeTemplateError("the pickle sets the state of something unknown: refused")
    return target


def _dtype(code: Any, *_: Any) -> _Dtype:
    if not isinstance(code, str) or code not in _NUMBER_TYPES:
        shown = code[:50] if isinstance(code, str) else type(code).__name__
        raise UnsafeTemplateError(f"the pickle holds an array of type {shown}: refused")
    return _Dtype(code)


def _array(data: Any, dtype: Any, shape: Any, order: Any, axes: Any = None) -> AnyArray:
    """An array over its raw bytes; ``axes``: how the stored axes are permuted."""
    if not isinstance(data, bytes | bytearray) or not isinstance(dtype, _Dtype):
        raise ValueError("an array that is no bytes, or of no type")
    code = dtype.code if dtype.order == "|" else dtype.order + dtype.code
    flat: AnyArray = np.frombuffer(data, np.dtype(code))
    if order not in ("C", "F"):
        raise ValueError("an unknown order of axes")
    array = flat.reshape(tuple(int(n) for n in shape), order="F" if order == "F" else "C")
    return array if axes is None else array.transpose([int(n) for n in axes])


def _scalar(dtype: Any, data: Any) -> Any:
    return _array(data, dtype, (1,), "C")[0].item()


def _nothing(*_: Any) -> None:
    """What a tensor comes out as: the official animal templates hold some that nobody reads."""


def _never_called(*_: Any) -> None:
    raise UnsafeTemplateError("the pickle calls numpy.ndarray: refused")


_SYMBOLS: dict[str, Callable[..., Any]] = {
    "numpy.ndarray": _never_called,  # only named, as the type to reconstruct
    "numpy.dtype": _dtype,
    "collections.OrderedDict": dict,
    "torch._utils._rebuild_tensor_v2": _nothing,
    "torch.storage._load_from_bytes": _nothing,
}
for _core in ("numpy.core", "numpy._core"):  # NumPy 1 and 2
    _SYMBOLS[f"{_core}.multiarray._reconstruct"] = lambda *_: _Array()
    _SYMBOLS[f"{_core}.multiarray.scalar"] = _scalar
    _SYMBOLS[f"{_core}.numeric._frombuffer"] = _array


def _finished(value: Any, done: dict[int, Any]) -> Any:
    """Put arrays in place of what they were on the way; ``done`` so that nothing is done twice."""
    if isinstance(value, _Array):
        if value.value is None:
            raise ValueError("an array without numbers")
        return value.value
    if isinstance(value, _Symbol | _Dtype) or value is _MARK:
        raise ValueError("a name stands where a value should")
    if not isinstance(value, dict | list | tuple):
        return value
    if id(value) not in done:
        if isinstance(value, dict):
            done[id(value)] = {key: _finished(item, done) for key, item in value.items()}
        else:
            done[id(value)] = [_finished(item, done) for item in value]
    return done[id(value)]
