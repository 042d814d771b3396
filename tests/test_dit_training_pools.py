"""Sets larger than memory: which tars a worker holds, and that nothing is left out."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from dit.condition import NO_PAST
from dit.preparation.shards import Shard
from dit.training.batches import Mixture, Share, batches
from dit.training.clip_pools import Pool, Stream, TarPools
from dit.training.config import DataConfig, Masking
from dit.training.sequences import Sequence, sequence_of
from models.errors import ConfigError
from models.shapes import FloatArray
from tests.training_fixtures import LAYOUT, PROJECTION, sequence, write_tiny_shards


def sequence_from(shard: Shard) -> Sequence:
    return sequence_of(shard.motion, PROJECTION.condition(shard.voice, NO_PAST), LAYOUT)


def pools(folder: Path, tars: int = 2, steps: int = 3, seed: int = 1) -> TarPools:
    return TarPools(folder, tars, steps, seed, sequence_from)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_tiny_shards(tmp_path / "shards", train=12)
    return tmp_path / "shards"


def test_streams_go_through_the_whole_set_together_once_an_epoch(folder: Path) -> None:
    source = pools(folder)
    streams = [Stream.of(rank, 2, worker, 3) for rank in range(2) for worker in range(3)]
    assert [s.number for s in streams] == list(range(6))
    orders = []
    for epoch in range(3):  # 12 tars, 6 streams of 2
        held = [name for s in streams for name in source.names(s, epoch * 3)]
        assert Counter(held) == Counter(source.tars)
        orders.append(held)
    assert orders[0] != orders[1] != orders[2]


def test_a_pool_lasts_for_its_steps(folder: Path) -> None:
    source, stream = pools(folder), Stream(0, 2)
    names = [tuple(source.names(stream, batch)) for batch in range(9)]
    assert names[0] == names[1] == names[2]
    assert len(set(names)) == 3
    assert source.pool(stream, 0) is source.pool(stream, 2)
    assert len(source.pool(stream, 3).sequences) == 2


def test_pools_depend_on_the_seed_alone(folder: Path) -> None:
    stream = Stream(1, 2)
    assert pools(folder).names(stream, 7) == pools(folder).names(stream, 7)
    several = {tuple(pools(folder, seed=seed).names(stream, 7)) for seed in range(6)}
    assert len(several) > 1


@pytest.mark.parametrize("workers", [0, 2])
def test_a_streamed_run_goes_on_at_any_step(folder: Path, workers: int) -> None:
    data = DataConfig(
        batch=4, short_window_frames=8, pool_tars=2, pool_steps=2, workers=workers, real_share=1.0
    )

    def from_step(first: int, share: Share) -> list[FloatArray]:
        mixture = Mixture(pools(folder, steps=2), None, data, Masking(), 1, share)
        return [b.target.numpy() for b in batches(mixture, first, 9, pin=False)]

    whole = from_step(0, Share(0, 2))
    for first in (1, 4):
        later = from_step(first, Share(0, 2))
        for one, other in zip(whole[first:], later, strict=True):
            np.testing.assert_array_equal(one, other)
    assert not np.array_equal(whole[0][0], from_step(0, Share(1, 2))[0][0])


def test_long_clips_are_drawn_from_more_often() -> None:
    pool = Pool.of([sequence(30, 0), sequence(90, 1)])
    rng = np.random.default_rng(0)
    drawn = Counter(len(pool.draw(rng).motion) for _ in range(800))
    assert drawn[90] / 800 == pytest.approx(0.75, abs=0.05)


def test_nothing_to_train_on_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing to train on"):
        Pool.of([])
    write_tiny_shards(tmp_path / "shards", train=0)
    with pytest.raises(ConfigError, match="no shards to train on"):
        pools(tmp_path / "shards")
