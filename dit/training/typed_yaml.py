"""YAML into nested frozen dataclasses: every key known, every value of its type.

Written with the standard library because training must run on a bare GPU machine, where pydantic
may be missing.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import yaml

from models.errors import ConfigError

T = TypeVar("T")


def read_yaml(path: Path) -> dict[str, Any]:
    """The table in a YAML file. Raises ConfigError when there is none."""
    try:
        values = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"cannot read the settings file {path}: {error}") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"the settings file {path} must hold names and values")
    return values


def with_assignments(values: Mapping[str, Any], assignments: list[str]) -> dict[str, Any]:
    """``values`` with ``section.name=value`` put over them; values are read as YAML.

    Raises ConfigError on text of another form.
    """
    changed = _copied(values)
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        *sections, name = path.strip().split(".")
        if not equals or not name:
            raise ConfigError(f"setting {assignment!r}; accepted: section.name=value")
        place = changed
        for section in sections:
            inner = place.setdefault(section, {})
            if not isinstance(inner, dict):
                raise ConfigError(f"setting {assignment!r}: {section} is no section")
            place = inner
        try:
            place[name] = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ConfigError(f"setting {assignment!r} cannot be read: {error}") from error
    return changed


def typed(cls: type[T], values: Any, where: str = "") -> T:
    """Make the dataclass ``cls`` of a table; what is not given keeps its default.

    Raises ConfigError naming the key and what is accepted, also for the ValueError of a
    ``__post_init__``.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where or 'the settings'} must be a table, not {values!r}")
    assert is_dataclass(cls)
    hints = get_type_hints(cls)
    names = [f.name for f in fields(cls)]
    unknown = [str(key) for key in values if key not in names]
    if unknown:
        inside = f" in {where}" if where else ""
        raise ConfigError(f"unknown {', '.join(unknown)}{inside}; accepted: {', '.join(names)}")
    given = {
        name: _value(hints[name], value, f"{where}.{name}" if where else name)
        for name, value in values.items()
    }
    try:
        return cls(**given)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}" if where else str(error)) from error


def _value(hint: Any, value: Any, where: str) -> Any:
    if is_dataclass(hint) and isinstance(hint, type):
        return typed(hint, value, where)
    if get_origin(hint) is Literal:
        accepted = get_args(hint)
        if value not in accepted:
            raise ConfigError(f"{where} is {value!r}; accepted: {', '.join(map(str, accepted))}")
        return value
    if hint is float:
        # YAML 1.1 reads 1e-3 as text
        number = _number(value) if not isinstance(value, bool) else None
        if number is None:
            raise ConfigError(f"{where} is {value!r}; accepted: a number")
        return number
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise ConfigError(f"{where} is {value!r}; accepted: {_NAMES[hint]}")
    return value


_NAMES = {int: "a whole number", bool: "true or false", str: "text"}


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _copied(values: Mapping[str, Any]) -> dict[str, Any]:
    return {k: _copied(v) if isinstance(v, Mapping) else v for k, v in values.items()}
