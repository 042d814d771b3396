"""Which real clips are in memory at a step: all of them, or a pool that is exchanged by and by.

A pool is a handful of tars, read whole, from which windows are drawn at random: the shuffle buffer.
Which tars, follows from (seed, step, rank, worker) alone. Every stream (a worker of a rank) takes
other tars, and together they go through the whole set once an epoch, in another order each time.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from dit.preparation.shards import Shard, read_index, read_tar
from dit.training.sequences import Sequence, lengths_of
from models.errors import ConfigError
from models.shapes import FloatArray


@dataclass(frozen=True, slots=True)
class Pool:
    """Clips that windows are drawn from; long clips are drawn from more often."""

    sequences: list[Sequence]
    until: FloatArray  # [n] share of all frames up to and with each clip

    @classmethod
    def of(cls, sequences: list[Sequence]) -> "Pool":
        """Raises ConfigError when there are none."""
        if not sequences:
            raise ConfigError("there is nothing to train on: no clip is left")
        until = np.cumsum(lengths_of(sequences), dtype=np.float64)
        return cls(sequences, until / until[-1])

    def draw(self, rng: np.random.Generator) -> Sequence:
        """One of the clips."""
        index = int(np.searchsorted(self.until, rng.random(), side="right"))
        return self.sequences[min(index, len(self.sequences) - 1)]


@dataclass(frozen=True, slots=True)
class Stream:
    """One worker of one rank, among all of them."""

    number: int
    count: int

    @classmethod
    def of(cls, rank: int, world: int, worker: int, workers: int) -> "Stream":
        """``workers``: of each rank."""
        return cls(rank * workers + worker, world * workers)


class ClipSource(Protocol):
    """Where a stream's real clips come from."""

    def pool(self, stream: Stream, batch: int) -> Pool:
        """What the stream's batch number ``batch`` is drawn from."""
        ...


@dataclass(frozen=True, slots=True)
class ResidentClips:
    """Every clip in memory, the same for all."""

    clips: Pool

    def pool(self, stream: Stream, batch: int) -> Pool:
        """All of them, always."""
        del stream, batch
        return self.clips


@dataclass
class TarPools:
    """A set of shards that is larger than memory."""

    folder: Path
    pool_tars: int
    pool_steps: int
    seed: int
    sequence_of: Callable[[Shard], Sequence]
    tars: list[str] = field(init=False)
    _loaded: tuple[list[str], Pool] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.tars = [t.file for t in read_index(self.folder).tars if t.split == "train"]
        if not self.tars:
            raise ConfigError(f"no shards to train on in {self.folder}")

    def pool(self, stream: Stream, batch: int) -> Pool:
        """Read when it changes; the last one is kept."""
        names = self.names(stream, batch)
        if self._loaded is None or self._loaded[0] != names:
            self._loaded = None  # never two pools in memory
            self._loaded = (names, Pool.of(self._read(names)))
        return self._loaded[1]

    def names(self, stream: Stream, batch: int) -> list[str]:
        """The tars of a stream's batch, out of the endless row of shuffled epochs."""
        pool = batch // self.pool_steps * stream.count + stream.number
        first = pool * self.pool_tars
        return [self._tar_at(place) for place in range(first, first + self.pool_tars)]

    def _tar_at(self, place: int) -> str:
        epoch, index = divmod(place, len(self.tars))
        order = np.random.default_rng((self.seed, epoch)).permutation(len(self.tars))
        return self.tars[int(order[index])]

    def _read(self, names: Iterable[str]) -> list[Sequence]:
        shards = (shard for name in names for shard in read_tar(self.folder / name))
        return [self.sequence_of(shard) for shard in shards]
