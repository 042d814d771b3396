"""The stream of batches: a mixture of real clips and synthetic speech, from any step on."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from dit.training.clip_pools import ClipSource, Stream
from dit.training.config import DataConfig, Masking
from dit.training.sequences import Sequence, SyntheticSpeech
from dit.training.windows import Batch, Window, batch_of, cut
from models.errors import ConfigError
from models.timing import NEW_FRAMES


@dataclass(frozen=True, slots=True)
class Share:
    """Which part of every batch is this process's."""

    rank: int = 0
    world: int = 1


@dataclass
class Mixture:
    """Makes the batch of any step; keeps what it rendered for the steps that follow."""

    clips: ClipSource
    speech: SyntheticSpeech | None
    data: DataConfig
    masking: Masking
    seed: int
    share: Share
    _speaker: int = field(init=False, default=-1)
    _rendered: dict[int, Sequence] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        if self.data.batch % self.share.world:
            raise ConfigError(
                f"data.batch is {self.data.batch}; accepted for {self.share.world} processes: "
                f"multiples of {self.share.world}"
            )

    def batch(self, step: int) -> Batch:
        """This rank's rows of step ``step``."""
        long = np.random.default_rng((self.seed, step)).random() < self.data.long_window_share
        frames = NEW_FRAMES if long else self.data.short_window_frames
        count = self._windows(frames)
        real = count if self.speech is None else round(count * self.data.real_share)
        rows = range(self.share.rank, count, self.share.world)
        return batch_of(step, [self._window(step, row, row < real, frames) for row in rows])

    def _windows(self, frames: int) -> int:
        """Of all ranks: as many frames in a step, whatever the length of its windows."""
        world = self.share.world
        count = self.data.batch * self.data.short_window_frames / frames
        return world * max(1, round(count / world))

    def _window(self, step: int, row: int, real: bool, frames: int) -> Window:
        rng = np.random.default_rng((self.seed, step, row))
        sequence = self._clip(step, rng) if real else self._spoken(step, rng)
        return cut(sequence, frames, self.masking, rng)

    def _clip(self, step: int, rng: np.random.Generator) -> Sequence:
        workers = max(1, self.data.workers)
        worker = step % workers
        stream = Stream.of(self.share.rank, self.share.world, worker, workers)
        return self.clips.pool(stream, step // workers).draw(rng)

    def _spoken(self, step: int, rng: np.random.Generator) -> Sequence:
        assert self.speech is not None
        speaker = step // self.data.resynthesise_every
        if speaker != self._speaker:
            self._speaker = speaker
            self._rendered.clear()
        index = int(rng.integers(len(self.speech.items)))
        if index not in self._rendered:
            self._rendered[index] = self.speech.render(index, speaker)
        return self._rendered[index]


class BatchStream(IterableDataset[Batch]):
    """Batches of the steps ``first`` to ``last - 1``; its workers take turns."""

    def __init__(self, mixture: Mixture, first: int, last: int) -> None:
        self._mixture, self._first, self._last = mixture, first, last

    def __iter__(self) -> Iterator[Batch]:
        info = get_worker_info()
        turn, workers = (0, 1) if info is None else (info.id, info.num_workers)
        for step in range(self._first + turn, self._last, workers):
            yield self._mixture.batch(step)


def batches(mixture: Mixture, first: int, last: int, pin: bool) -> Iterator[Batch]:
    """In the order of their steps. ``pin``: they will go to a GPU."""
    workers = mixture.data.workers
    loader = DataLoader(
        BatchStream(mixture, first, last),
        batch_size=None,
        num_workers=workers,
        pin_memory=pin,
        prefetch_factor=4 if workers else None,
        worker_init_fn=_one_thread if workers else None,
        # its own, because starting it would draw from dropout's, which a resumed run restores
        generator=torch.Generator(),
    )
    return iter(loader)


def _one_thread(_worker: int) -> None:
    torch.set_num_threads(1)
