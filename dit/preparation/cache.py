"""What each stage leaves behind for a clip, so that a run that was stopped goes on.

A stage writes its files first and then, whole or not at all, a small JSON file with the key it was
made under: the clip's size and time, and a digest of the settings. Another key, or none, and the
stage runs again.
"""

import json
import os
from pathlib import Path
from typing import Any

CACHE_FORMAT = 1


def clip_key(path: Path) -> list[int]:
    """Size and time of change of a file: another content has another key."""
    status = path.stat()
    return [CACHE_FORMAT, status.st_size, status.st_mtime_ns]


def folder_key(folder: Path) -> list[Any]:
    """Name, size and time of change of every file of a folder of weights."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return [[p.name, *clip_key(p)] for p in files]


def read_note(path: Path, key: str) -> dict[str, Any] | None:
    """What ``write_note`` wrote under the same key; None when there is nothing, or another key."""
    try:
        note = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    if not isinstance(note, dict) or note.get("key") != key:
        return None
    return note


def write_note(path: Path, key: str, values: dict[str, Any]) -> None:
    """Write a JSON file in one step."""
    text = json.dumps({"key": key, **values}, indent=1, ensure_ascii=False) + "\n"
    write_whole(path, text.encode())


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that is either there in full or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_bytes(data)
    partial.replace(path)
