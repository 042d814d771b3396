"""Motion template files: the official pickle, read safely, and a safetensors form."""

import math
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from liveportrait.animation.motion_template import MotionTemplate, template_of
from liveportrait.animation.template_pickle import template_from_pickle, template_to_pickle
from models.errors import TemplateError

__all__ = ["TEMPLATE_SUFFIXES", "MotionTemplate", "load_template", "save_template", "template_of"]

TEMPLATE_SUFFIXES = (".pkl", ".safetensors")
MAX_BYTES = 256 * 1024 * 1024  # more than an hour at 30 FPS
_FORMAT = "visavis-motion-template"
_VERSION = "1"
_NEEDED = {"scale", "rotation", "exp", "t"}
_OPTIONAL = {"eye_ratios", "lip_ratios", "canonical"}


def load_template(path: Path) -> MotionTemplate:
    """Read a motion template: ``.pkl`` as the official code writes it, or ``.safetensors``.

    A pickle is never run (``models.pickle_reader``). Raises TemplateError when the file is missing,
    too large, damaged or something else, when shapes are wrong or values not finite; its kind
    UnsafeTemplateError when a pickle asks for anything but numbers.
    """
    readers: dict[str, Callable[[Path], MotionTemplate]] = {
        ".pkl": lambda file: template_from_pickle(file.read_bytes()),
        ".safetensors": _from_safetensors,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise TemplateError(f"{path.name}: accepted are {' and '.join(TEMPLATE_SUFFIXES)}")
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise TemplateError(f"{size} bytes; accepted up to {MAX_BYTES}")
        template = reader(path)
        _check(template)
    except OSError as wrong:
        raise TemplateError(f"{path}: {wrong.strerror or wrong}") from wrong
    except ValueError as wrong:
        raise TemplateError(f"{path.name}: {wrong}") from wrong
    except TemplateError as wrong:
        raise type(wrong)(f"{path.name}: {wrong}") from wrong
    return template


def save_template(template: MotionTemplate, path: Path) -> None:
    """Write a motion template; the suffix (``.pkl``, ``.safetensors``) says in which form.

    The file appears whole or not at all. Raises TemplateError for another suffix or values that
    are not finite.
    """
    writers = {".pkl": template_to_pickle, ".safetensors": _to_safetensors}
    writer = writers.get(path.suffix.lower())
    if writer is None:
        raise TemplateError(f"{path.name}: accepted are {' and '.join(TEMPLATE_SUFFIXES)}")
    _check(template)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(writer(template))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _check(template: MotionTemplate) -> None:
    if not len(template):
        raise TemplateError("the motion template has no frames")
    if not (math.isfinite(template.fps) and 0 < template.fps <= 1000):
        raise TemplateError(f"the motion template's frame rate is {template.fps}")
    for name in sorted(_NEEDED | _OPTIONAL):
        values = getattr(template, name)
        if values is not None and not np.isfinite(values).all():
            raise TemplateError(f"the motion template's {name} holds values that are not finite")
    if not template.scale.all():
        raise TemplateError("the motion template holds a scale of 0")


def _to_safetensors(template: MotionTemplate) -> bytes:
    values = {name: getattr(template, name) for name in _NEEDED | _OPTIONAL}
    tensors = {n: np.ascontiguousarray(v, np.float32) for n, v in values.items() if v is not None}
    metadata = {"format": _FORMAT, "version": _VERSION, "fps": repr(float(template.fps))}
    return bytes(save(tensors, metadata))


def _from_safetensors(path: Path) -> MotionTemplate:
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != _FORMAT:
                raise TemplateError("the safetensors file is no motion template")
            if metadata.get("version") != _VERSION:
                raise TemplateError(
                    f"version {metadata.get('version')} of the motion template is not known; "
                    f"accepted: {_VERSION}"
                )
            names = set(file.keys())
            if missing := _NEEDED - names:
                raise TemplateError(f"the motion template lacks {', '.join(sorted(missing))}")
            if unknown := names - _NEEDED - _OPTIONAL:
                raise TemplateError(
                    f"the motion template holds unknown {', '.join(sorted(unknown))}"
                )
            tensors = {n: np.asarray(file.get_tensor(n), np.float32) for n in names}
            return MotionTemplate(fps=float(metadata.get("fps", "nan")), **tensors)
    except SafetensorError as wrong:
        raise TemplateError(f"not a safetensors file, or a damaged one: {wrong}") from wrong
