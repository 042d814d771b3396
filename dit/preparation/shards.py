"""Training data on disk: tar files in the WebDataset layout, and a JSON index beside them.

``FOLDER/train-000000.tar`` holds, for every stretch of a clip, ``KEY.json`` (where it comes from),
``KEY.motion.npz``, ``KEY.voice.npz`` and ``KEY.lips.npz``; ``FOLDER/index.json`` lists the tars.
The package ``webdataset`` reads them, too; here they are read with the standard library, because a
bare GPU machine has torch and numpy and nothing else.

A folder always holds one whole set: the writer fills ``FOLDER.partial`` and changes the two at the
end, so that whatever stops it leaves the old set as it was.
"""

import hashlib
import io
import json
import re
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from types import TracebackType
from typing import IO, Any
from zipfile import BadZipFile

import numpy as np

from models.errors import VisavisError
from models.held_out import SPLITS, Split
from models.motion import Motion
from models.shapes import AnyArray, FloatArray
from models.speech import SpeechFeatures
from models.timing import FPS

FORMAT = 1
INDEX_FILE = "index.json"
SHARD_BYTES = 256 * 2**20
MOTION_FIELDS = tuple(f.name for f in fields(Motion))


class ShardError(VisavisError):
    """Training data that is missing, damaged or of another format."""

    code = "bad_shards"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a stretch comes from, and how it was judged."""

    source: str = ""  # the clip's path below the folder that was prepared
    start_s: float = 0.0  # the stretch in the clip
    end_s: float = 0.0
    fps: float = float(FPS)  # of the clip, before it was brought to 25
    lag_frames: float = 0.0  # the sound came so late (negative: early); it has been moved back
    lag_r: float = 0.0  # how well voice and mouth agree there
    quality: Mapping[str, float] = field(default_factory=dict)  # figures of quality.py by name


@dataclass(frozen=True, slots=True)
class Shard:
    """One stretch of a clip as the trainer reads it: one face, sound in step; T frames."""

    name: str
    motion: Motion  # relative to the person's rest
    voice: SpeechFeatures
    gap: FloatArray  # [T] true lip gap over the outer-eye distance
    width: FloatArray  # [T] true lip width over the outer-eye distance
    split: Split = "train"
    origin: Origin = field(default_factory=Origin)


@dataclass(frozen=True, slots=True)
class Tar:
    """One file of a set."""

    file: str
    split: Split
    clips: int
    frames: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Index:
    """What ``index.json`` says of a set."""

    engine: str  # whose motion
    encoder: str  # name of the speech encoder
    tars: tuple[Tar, ...]

    @property
    def frames(self) -> int:
        """Frames of all splits."""
        return sum(tar.frames for tar in self.tars)


class ShardWriter:
    """Writes a whole set of shards, one tar after the other for each split.

    A context manager: leaving it normally puts the set in place of the folder's former one, an
    exception leaves the former one. Bytes depend on the shards and their order alone.
    """

    def __init__(
        self, folder: Path, *, engine: str, encoder: str, tar_bytes: int = SHARD_BYTES
    ) -> None:
        self._folder, self._tar_bytes = folder, tar_bytes
        self._partial = folder.with_name(folder.name + ".partial")
        self._engine, self._encoder = engine, encoder
        self._open: dict[Split, _OpenTar] = {}
        self._tars: list[Tar] = []

    def __enter__(self) -> "ShardWriter":
        shutil.rmtree(self._partial, ignore_errors=True)
        self._partial.mkdir(parents=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            for tar in self._open.values():
                tar.close()
            shutil.rmtree(self._partial, ignore_errors=True)
            return
        for split in list(self._open):
            self._finish(split)
        self._tars.sort(key=lambda tar: tar.file)
        index = {"format": FORMAT, **asdict(Index(self._engine, self._encoder, tuple(self._tars)))}
        (self._partial / INDEX_FILE).write_text(json.dumps(index, indent=1) + "\n")
        _put_in_place(self._partial, self._folder)

    def write(self, shard: Shard) -> None:
        """Add one stretch of a clip to its split."""
        if shard.split not in self._open:
            number = sum(tar.split == shard.split for tar in self._tars)
            path = self._partial / f"{shard.split}-{number:06d}.tar"
            self._open[shard.split] = _OpenTar(path)
        tar = self._open[shard.split]
        tar.add(shard)
        if tar.bytes >= self._tar_bytes:
            self._finish(shard.split)

    def _finish(self, split: Split) -> None:
        tar = self._open.pop(split)
        tar.close()
        with tar.path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = tar.path.stat().st_size
        self._tars.append(Tar(tar.path.name, split, tar.clips, tar.frames, size, digest))


def read_shards(folder: Path, split: Split | None = None) -> Iterator[Shard]:
    """Stream the shards of a folder in the order they were written; of one split or of all.

    Holds one stretch in memory at a time. Raises ShardError when the folder holds no set, nothing
    of that split, or a damaged tar.
    """
    index = read_index(folder)
    tars = [tar for tar in index.tars if split in (None, tar.split)]
    if not tars:
        raise ShardError(f"no {split} shards in {folder}; it has {_splits_text(index)}")
    for tar in tars:
        yield from read_tar(folder / tar.file)


def read_index(folder: Path) -> Index:
    """The index of a set of shards. Raises ShardError when it is missing or damaged."""
    path = folder / INDEX_FILE
    if not path.is_file():
        raise ShardError(f"no shards in {folder}; `python -m dit prepare` makes them")
    try:
        stored = json.loads(path.read_text())
        if stored["format"] != FORMAT:
            raise ShardError(f"{path} has format {stored['format']}; accepted: {FORMAT}")
        tars = tuple(Tar(**tar) for tar in stored["tars"])
        return Index(stored["engine"], stored["encoder"], tars)
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ShardError(f"{path} is no index of shards: {error}") from error


def shard_bytes(shard: Shard) -> dict[str, bytes]:
    """The members of one stretch by extension; embeddings in half precision."""
    voice = {f.name: getattr(shard.voice, f.name) for f in fields(SpeechFeatures)}
    voice["embeddings"] = shard.voice.embeddings.astype(np.float16)
    about = {"name": shard.name, "split": shard.split, **asdict(shard.origin)}
    return {
        "json": (json.dumps(about, indent=1, ensure_ascii=False) + "\n").encode(),
        "lips.npz": _npz({"gap": shard.gap, "width": shard.width}),
        "motion.npz": _npz({name: getattr(shard.motion, name) for name in MOTION_FIELDS}),
        "voice.npz": _npz({k: v for k, v in voice.items() if v is not None}),
    }


def shard_from(members: Mapping[str, bytes]) -> Shard:
    """Inverse of ``shard_bytes``. Raises ShardError when a part is missing or damaged."""
    try:
        about = json.loads(members["json"])
        name, split = about.pop("name"), about.pop("split")
        if split not in SPLITS:
            raise ShardError(f"{name} is of split {split!r}; accepted: {', '.join(SPLITS)}")
        voice, lips = _arrays(members["voice.npz"]), _arrays(members["lips.npz"])
        voice["embeddings"] = voice["embeddings"].astype(np.float32)
        return Shard(
            name,
            Motion(**_arrays(members["motion.npz"])),
            SpeechFeatures(**voice),
            lips["gap"],
            lips["width"],
            split,
            Origin(**about),
        )
    except (KeyError, ValueError, TypeError, OSError, BadZipFile) as error:
        raise ShardError(f"damaged training data: {error}") from error


class _OpenTar:
    """A tar that is being written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clips = self.frames = self.bytes = 0
        self._tar = tarfile.open(path, "w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115

    def add(self, shard: Shard) -> None:
        self.bytes += add_members(self._tar, shard)
        self.clips += 1
        self.frames += len(shard.gap)

    def close(self) -> None:
        self._tar.close()


def add_members(tar: tarfile.TarFile, shard: Shard) -> int:
    """Add one stretch to an open tar -> its bytes."""
    members = shard_bytes(shard)
    for extension, data in members.items():
        member = tarfile.TarInfo(f"{key_of(shard.name)}.{extension}")
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
    return sum(map(len, members.values()))


def key_of(name: str) -> str:
    """A name as WebDataset's key, which ends at the first dot; ASCII, at most 80 characters."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", name)
    if plain == name and len(name) <= 80:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]  # a.b and a_b stay apart
    return f"{plain[:60]}-{digest}"


def read_tar(path: Path) -> Iterator[Shard]:
    """Stream the shards of one tar. Raises ShardError when it is missing or damaged."""
    try:
        with path.open("rb") as file, tarfile.open(fileobj=file, mode="r|") as tar:
            yield from map(shard_from, _grouped(tar))
    except (OSError, tarfile.TarError, ShardError) as error:
        raise ShardError(f"{path}: {error}") from error


def _grouped(tar: tarfile.TarFile) -> Iterator[dict[str, bytes]]:
    """Members that follow each other with the same key: extension -> bytes."""
    key, members = "", dict[str, bytes]()
    for member in tar:
        file: IO[bytes] | None = tar.extractfile(member)
        if file is None:
            continue
        own_key, _, extension = member.name.partition(".")
        if own_key != key and members:
            yield members
            members = {}
        key = own_key
        members[extension] = file.read()
    if members:
        yield members


def _put_in_place(partial: Path, folder: Path) -> None:
    former = folder.with_name(folder.name + ".former")
    shutil.rmtree(former, ignore_errors=True)
    if folder.exists():
        folder.rename(former)
    partial.rename(folder)
    shutil.rmtree(former, ignore_errors=True)


def _splits_text(index: Index) -> str:
    return ", ".join(sorted({tar.split for tar in index.tars})) or "none"


def _npz(arrays: Mapping[str, Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _arrays(data: bytes) -> dict[str, AnyArray]:
    with np.load(io.BytesIO(data)) as stored:
        return {name: stored[name] for name in stored.files}
