"""The weights manifest: which model files there are, their bytes, sha256, licence and source.

``weights/manifest.yaml`` maps a name to a file or folder in ``weights/`` and to the files in it.
A file is checked once per process, when it is first asked for.

Of some files nobody publishes bytes and sha256: both are ``null`` in the manifest. ``fetch`` then
trusts the address once and notes the sha256 it got in ``FILE.sha256`` (the form of ``sha256sum``);
from there on ``verify`` holds the file to this note. What such a file contains is for its loader
to check.
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
    bytes: int | None  # None, as sha256: not published
    sha256: str | None
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
        WeightFile(
            file,
            None if f["bytes"] is None else int(f["bytes"]),
            None if f["sha256"] is None else str(f["sha256"]).lower(),
            f.get("url"),
        )
        for file, f in raw["files"].items()
    )
    for file in files:
        if Path(file.file).is_absolute() or ".." in Path(file.file).parts:
            raise ValueError(f"{file.file} leaves the weights folder")
        if file.sha256 is None and file.url is None:
            raise ValueError(f"{file.file} ships with the repository and has no sha256")
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
        verify_file(entry, file, root)


def verify_at(path: Path, root: Path = WEIGHTS_DIR) -> None:
    """Compare what lies at ``path`` with the manifest of ``root``, if that is where it is from.

    Raises as ``verify``.
    """
    if not (root / MANIFEST_NAME).is_file():
        return
    for entry in load_manifest(root).values():
        if (root / entry.path).resolve() == path.resolve():
            verify(entry, root)


def verify_file(entry: WeightEntry, file: WeightFile, root: Path = WEIGHTS_DIR) -> None:
    """Compare one file of an entry with the manifest, or with the note taken when it was fetched.

    Raises as ``verify``.
    """
    path = root / file.file
    if not path.is_file():
        raise MissingWeightsError(f"{path} is missing; {remedy(entry)}")
    sha256, by = file.sha256, "the manifest"
    if sha256 is None:
        if not (note := _note_of(path)).is_file():
            return
        sha256, by = note.read_text(encoding="utf-8").split(maxsplit=1)[0], note.name
    status = path.stat()
    seen = (str(path), status.st_size, status.st_mtime_ns, sha256)
    if seen in _checked:
        return
    if file.bytes is not None and status.st_size != file.bytes:
        raise ChecksumError(f"{path} has {status.st_size} bytes, not {file.bytes}; {remedy(entry)}")
    if sha256_of(path) != sha256:
        raise ChecksumError(f"{path} has another sha256 than {by}; {remedy(entry)}")
    _checked.add(seen)


def _note_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def remedy(entry: WeightEntry) -> str:
    """The command that brings an entry's files."""
    if entry.shipped:
        return (
            f"it ships with the repository: git checkout -- weights/{entry.path}"
            f" (made by: {entry.source})"
        )
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

    A file gets its name only after its sha256 was right; where none is known, the one it had is
    noted beside it. ``progress`` hears of every new bytes.
    Raises MissingWeightsError when a file cannot be had and ChecksumError for other bytes.
    """
    for file in entry.files:
        path = root / file.file
        if file.url is None or _is_whole(entry, file, root):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        try:
            _download(file, part, progress)
            got = sha256_of(part)
            if file.sha256 not in (got, None):
                raise ChecksumError(f"{file.url} has sha256 {got}, not {file.sha256}")
            part.replace(path)
            if file.sha256 is None:
                _note_of(path).write_text(f"{got}  {path.name}\n", encoding="utf-8")
        except OSError as error:
            raise MissingWeightsError(f"cannot fetch {file.url}: {error}") from error
        finally:
            part.unlink(missing_ok=True)
    verify(entry, root)


def _is_whole(entry: WeightEntry, file: WeightFile, root: Path) -> bool:
    try:
        verify_file(entry, file, root)
    except WeightsError:
        return False
    return True


def _download(
    file: WeightFile, part: Path, progress: Callable[[WeightFile, int], None] | None
) -> None:
    assert file.url is not None
    with urlopen(file.url, timeout=60) as answer, part.open("wb") as out:
        done = 0
        while chunk := answer.read(_CHUNK_BYTES):
            out.write(chunk)
            done += len(chunk)
            if file.bytes is not None and done > file.bytes:
                raise ChecksumError(f"{file.url} is longer than {file.bytes} bytes")
            if progress is not None:
                progress(file, len(chunk))


def record(name: str, root: Path = WEIGHTS_DIR) -> None:
    """Write the present bytes and sha256 of an entry's files into the manifest.

    A folder's entry takes all files that now lie in it, a fetched one those it lists. Raises
    as ``load_manifest``, WeightsError for an unknown name and MissingWeightsError when there is
    no file.
    """
    load_manifest(root)
    path = root / MANIFEST_NAME
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if name not in content["weights"]:
        raise WeightsError(f"unknown weights {name!r}")
    raw = content["weights"][name]
    target = root / raw["path"]
    found = sorted(p for p in target.rglob("*") if p.is_file()) if target.is_dir() else [target]
    old = raw.get("files", {})
    if any("url" in file for file in old.values()):
        found = [root / file for file in old]
    if not found or (missing := [p for p in found if not p.is_file()]):
        raise MissingWeightsError(f"no file at {missing[0] if found else target}")
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
