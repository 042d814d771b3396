"""Data flows one way: models <- dit, liveportrait <- server. Nothing imports against it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

MAY_IMPORT = {
    "models": {"models"},
    "dit": {"dit", "models"},
    "liveportrait": {"liveportrait", "models"},
    "server": {"server", "dit", "liveportrait", "models"},
}
# What a bare GPU machine has; every other package is imported where it is used.
LIGHT = {"torch", "numpy", "yaml", "safetensors"}


def imported_names(nodes: Iterator[ast.AST]) -> set[str]:
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module.split(".")[0])
    return names


def type_checking_only(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def module_level(tree: ast.Module) -> Iterator[ast.AST]:
    """Statements that run on import: not those inside functions or under TYPE_CHECKING."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if not type_checking_only(node):
            yield from ast.walk(node)


def sources(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_rooms_import_only_what_lies_before_them(room: str) -> None:
    assert sources(room), f"{room} has no source files"
    for path in sources(room):
        ours = imported_names(ast.walk(ast.parse(path.read_text()))) & set(MAY_IMPORT)
        assert ours <= MAY_IMPORT[room], f"{path.relative_to(ROOT)} imports {ours}"


@pytest.mark.parametrize("room", ["models", "dit", "liveportrait"])
def test_rooms_below_the_server_import_light(room: str) -> None:
    import sys

    for path in sources(room):
        if path.name == "__main__.py":
            continue
        names = imported_names(module_level(ast.parse(path.read_text())))
        heavy = names - LIGHT - set(MAY_IMPORT) - set(sys.stdlib_module_names)
        assert not heavy, f"{path.relative_to(ROOT)} imports {heavy} at module level"
