"""The weights manifest: which model files there are, their bytes, sha256, licence and source.

``weights/manifest.yaml`` maps a name to a file or folder in ``weights/`` and to the files in it.
A file is checked once per process, when it is first asked for.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import yaml

from models.errors import ChecksumError, MissingWeightsError, WeightsError

WEIGHTS_DIR = Path(__file__).resolve().parent.parent / "weights"
MANIFEST_NAME = "manifest.yaml"
_HEADER = (
    "# Every model file; `python -m models record NAME` renews bytes and sha256 of an entry.\n"
)
_CHUNK_BYTES = 1 << 20
_checked: set[tuple[str, int, int, str]] = set()


@dataclass(frozen=True, slots=True)
class WeightFile:
    """One file, its path relative to the weights folder."""

    file: str
    bytes: int
    sha256: str
    url: str | None = None  # where ``fetch`` gets it; None when it ships with the repository


@dataclass(frozen=True, slots=True)
class WeightEntry:
    """A named model: a file, or a folder of files."""

    name: str
    path: str
    licence: str
    source: str  # where it comes from: an address, or the command that makes it
    about: str
    files: tuple[WeightFile, ...]

    @property
    def shipped(self) -> bool:
        """Whether the repository itself holds the files."""
        return all(f.url is None for f in self.files)


def load_manifest(root: Path = WEIGHTS_DIR) -> dict[str, WeightEntry]:
    """Read ``manifest.yaml`` of a weights folder.

    Raises MissingWeightsError without a manifest and WeightsError when it is not in its form.
    """
    path = root / MANIFEST_NAME
    if not path.is_file():
        raise MissingWeightsError(f"no weights manifest at {path}")
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))["weights"]
        return {name: _entry(name, raw) for name, raw in entries.items()}
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise WeightsError(f"{path} is not a weights manifest: {error}") from error


def _entry(name: str, raw: Mapping[str, Any]) -> WeightEntry:
    files = tuple(
        WeightFile(file, int(f["bytes"]), str(f["sha256"]).lower(), f.get("url"))
        for file, f in raw["files"].items()
    )
    for file in files:
        if Path(file.file).is_absolute() or ".." in Path(file.file).parts:
            raise ValueError(f"{file.file} leaves the weights folder")
    return WeightEntry(name, raw["path"], raw["licence"], raw["source"], raw["about"], files)


def path_of(name: str, root: Path = WEIGHTS_DIR) -> Path:
    """The file or folder of a model, all of its files verified.

    Raises WeightsError for an unknown name, MissingWeightsError and ChecksumError as ``verify``.
    """
    manifest = load_manifest(root)
    if name not in manifest:
        raise WeightsError(f"unknown weights {name!r}; known: {', '.join(sorted(manifest))}")
    verify(manifest[name], root)
    return root / manifest[name].path


def verify(entry: WeightEntry, root: Path = WEIGHTS_DIR) -> None:
    """Compare every file with the manifest.

    Raises MissingWeightsError when one is not there and ChecksumError when it has other bytes.
    """
    for file in entry.files:
        path = root / file.file
        if not path.is_file():
            raise MissingWeightsError(f"{path} is missing; {_remedy(entry)}")
        status = path.stat()
        seen = (str(path), status.st_size, status.st_mtime_ns, file.sha256)
        if seen in _checked:
            continue
        if status.st_size != file.bytes:
            raise ChecksumError(
                f"{path} has {status.st_size} bytes, not {file.bytes}; {_remedy(entry)}"
            )
        if sha256_of(path) != file.sha256:
            raise ChecksumError(f"{path} has another sha256 than the manifest; {_remedy(entry)}")
        _checked.add(seen)


def _remedy(entry: WeightEntry) -> str:
    if entry.shipped:
        return f"it ships with the repository and is made by: {entry.source}"
    return f"run: python -m models fetch {entry.name}"


def sha256_of(path: Path) -> str:
    """sha256 of a file in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def fetch(
    entry: WeightEntry,
    root: Path = WEIGHTS_DIR,
    progress: Callable[[WeightFile, int], None] | None = None,
) -> None:
    """Download the files of an entry that are missing or damaged, and verify them.

    A file gets its name only after its sha256 was right. ``progress`` hears of every new bytes.
    Raises MissingWeightsError when a file cannot be had and ChecksumError for other bytes.
    """
    for file in entry.files:
        path = root / file.file
        whole = path.is_file() and path.stat().st_size == file.bytes
        if file.url is None or (whole and sha256_of(path) == file.sha256):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        try:
            _download(file, part, progress)
            if (got := sha256_of(part)) != file.sha256:
                raise ChecksumError(f"{file.url} has sha256 {got}, not {file.sha256}")
            part.replace(path)
        except OSError as error:
            raise MissingWeightsError(f"cannot fetch {file.url}: {error}") from error
        finally:
            part.unlink(missing_ok=True)
    verify(entry, root)


def _download(
    file: WeightFile, part: Path, progress: Callable[[WeightFile, int], None] | None
) -> None:
    assert file.url is not None
    with urlopen(file.url, timeout=60) as answer, part.open("wb") as out:
        done = 0
        while chunk := answer.read(_CHUNK_BYTES):
            out.write(chunk)
            done += len(chunk)
            if done > file.bytes:
                raise ChecksumError(f"{file.url} is longer than {file.bytes} bytes")
            if progress is not None:
                progress(file, len(chunk))


def record(name: str, root: Path = WEIGHTS_DIR) -> None:
    """Write the present bytes and sha256 of an entry's files into the manifest.

    A folder's entry takes all files that now lie in it. Raises as ``load_manifest``, WeightsError
    for an unknown name and MissingWeightsError when there is no file.
    """
    load_manifest(root)
    path = root / MANIFEST_NAME
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if name not in content["weights"]:
        raise WeightsError(f"unknown weights {name!r}")
    raw = content["weights"][name]
    target = root / raw["path"]
    found = sorted(p for p in target.rglob("*") if p.is_file()) if target.is_dir() else [target]
    if not found or not found[0].is_file():
        raise MissingWeightsError(f"no file at {target}")
    old = raw.get("files", {})
    raw["files"] = {}
    for file in found:
        key = file.relative_to(root).as_posix()
        raw["files"][key] = {"bytes": file.stat().st_size, "sha256": sha256_of(file)}
        if "url" in old.get(key, {}):
            raw["files"][key]["url"] = old[key]["url"]
    part = path.with_suffix(".part")
    part.write_text(
        _HEADER + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=96),
        encoding="utf-8",
    )
    shutil.move(part, path)
