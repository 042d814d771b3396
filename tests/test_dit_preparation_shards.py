"""Shards: what is written is read, whatever stops the writer leaves the former set."""

import json
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

from dit.preparation.shards import (
    MOTION_FIELDS,
    Origin,
    Shard,
    ShardError,
    ShardWriter,
    key_of,
    read_index,
    read_shards,
)
from models.held_out import Split
from models.motion import Motion
from models.shapes import KEYPOINTS
from models.speech import SpeechFeatures


def shard(name: str, seed: int, split: Split = "train", frames: int = 30) -> Shard:
    rng = np.random.default_rng(seed)

    def draw(*tail: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return rng.standard_normal((frames, *tail), np.float32)

    motion = Motion(draw(), draw(), draw(), draw(3), draw(), draw(KEYPOINTS, 3))
    origin = Origin(f"a/{name}.mp4", 1.0, 2.2, 29.97, 3.0, 0.4, {"face_px": 200.0})
    return Shard(name, motion, SpeechFeatures(draw(8), draw()), draw(), draw(), split, origin)


def write(folder: Path, shards: Iterable[Shard], tar_bytes: int = 20_000) -> None:
    with ShardWriter(folder, engine="lite", encoder="tiny", tar_bytes=tar_bytes) as writer:
        for each in shards:
            writer.write(each)


def files(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir())}


def test_what_is_written_is_read_in_order_and_by_split(tmp_path: Path) -> None:
    written = [shard(f"One__{i}.x", i, "test" if i % 3 == 2 else "train") for i in range(7)]
    write(tmp_path / "shards", written)
    index = read_index(tmp_path / "shards")
    assert (index.engine, index.encoder, index.frames) == ("lite", "tiny", 210)
    assert len([t for t in index.tars if t.split == "train"]) > 1, "the size limit had no effect"
    read = {s.name: s for s in read_shards(tmp_path / "shards")}
    assert set(read) == {s.name for s in written}
    names = [s.name for s in read_shards(tmp_path / "shards", "train")]
    assert names == [s.name for s in written if s.split == "train"]
    for before in written:
        after = read[before.name]
        assert (after.split, after.origin) == (before.split, before.origin)
        for field in MOTION_FIELDS:
            np.testing.assert_array_equal(
                getattr(after.motion, field), getattr(before.motion, field)
            )
        np.testing.assert_allclose(after.voice.embeddings, before.voice.embeddings, atol=2e-3)
        np.testing.assert_array_equal(after.voice.loudness_db, before.voice.loudness_db)
        np.testing.assert_array_equal(after.gap, before.gap)
        np.testing.assert_array_equal(after.width, before.width)


def test_members_follow_the_webdataset_convention(tmp_path: Path) -> None:
    write(tmp_path / "shards", [shard("dir__a.b c", 0), shard("dir__a_b_c", 1)])
    with tarfile.open(tmp_path / "shards/train-000000.tar") as tar:
        names = tar.getnames()
    keys = [name.partition(".")[0] for name in names]
    assert len(set(keys)) == 2
    assert [n.partition(".")[2] for n in names[:4]] == [
        "json",
        "lips.npz",
        "motion.npz",
        "voice.npz",
    ]
    assert key_of("x" * 200) != key_of("x" * 201)
    assert len(key_of("x" * 200)) < 100


def test_the_same_shards_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / name, [shard(str(i), i) for i in range(4)])
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_a_writer_that_is_stopped_leaves_the_former_set(tmp_path: Path) -> None:
    folder = tmp_path / "shards"
    write(folder, [shard("old", 0)])
    before = files(folder)

    def interrupted() -> Iterator[Shard]:
        yield shard("new", 1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(folder, interrupted(), tar_bytes=1)
    assert files(folder) == before
    assert [p.name for p in tmp_path.iterdir()] == ["shards"]
    write(folder, [shard("new", 1)])
    assert [s.name for s in read_shards(folder)] == ["new"]


def test_missing_and_damaged_sets_are_named(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match="python -m dit prepare"):
        list(read_shards(tmp_path))
    folder = tmp_path / "shards"
    write(folder, [shard("a", 0)])
    with pytest.raises(ShardError, match="no test shards"):
        list(read_shards(folder, "test"))
    tar = folder / "train-000000.tar"
    tar.write_bytes(tar.read_bytes()[:1500])
    with pytest.raises(ShardError, match=r"train-000000\.tar"):
        list(read_shards(folder))
    index = json.loads((folder / "index.json").read_text())
    (folder / "index.json").write_text(json.dumps({**index, "format": 99}))
    with pytest.raises(ShardError, match="format 99"):
        read_index(folder)
