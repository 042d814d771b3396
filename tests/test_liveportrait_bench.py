import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from liveportrait.bench.frames import BenchFrames
from liveportrait.bench.job import BenchJob
from liveportrait.bench.memory import peak_memory
from liveportrait.bench.report import SEEDED_LABEL, BenchReport, BenchRow, psnr_db
from liveportrait.bench.run import measure
from liveportrait.bench.stages import Stage, draw, stages
from liveportrait.source.paste_back import prepare_mask
from models.errors import ConfigError
from models.shapes import FloatArray, Image
from tests.liveportrait_small_networks import (
    PICTURE_PX,
    keypoint_pairs,
    small_networks,
    small_pictures,
)

_NAMES = [
    "original",
    "inference mode",
    "exact algebra",
    "channels_last",
    "cuDNN autotune",
    "compiled (OpenVINO)",
    "half precision",
    "batching",
    "pinned memory + streams",
    "parallel paste-back",
]


def _frames(count: int) -> BenchFrames:
    photo = np.full((160, 200, 3), 90, np.uint8)
    to_photo = np.array([[1, 0, 30], [0, 1, 20], [0, 0, 1]], np.float32)
    template = np.full((PICTURE_PX, PICTURE_PX), 255, np.uint8)
    mask = prepare_mask(to_photo, (200, 160), template)
    return BenchFrames(photo, small_pictures(1)[0], to_photo, mask, *keypoint_pairs(count))


def _job(tmp_path: Path, frames: int = 2, batch: int = 2, threads: int = 2) -> BenchJob:
    return BenchJob(
        Path("photo.jpg"),
        Path("drive.mp4"),
        tmp_path,
        frames=frames,
        batch=batch,
        device="cpu",
        threads=threads,
    )


class _Counting:
    """A decoder that notes the frames it is asked for and draws them one level too bright."""

    def __init__(self, extra: int) -> None:
        self.calls: list[int] = []
        self._extra = extra

    def features(self, images: Image) -> list[int]:
        return [0] * len(images)

    def decode(self, sources: list[int], x_s: FloatArray, x_d: FloatArray) -> Image:
        assert len(sources) == 1
        assert x_s.shape == x_d.shape
        self.calls.append(len(x_d))
        return np.full((len(x_d), PICTURE_PX, PICTURE_PX, 3), 100 + self._extra, np.uint8)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> tuple[BenchReport, Path]:
    """All rows of a CPU on small networks."""
    folder = tmp_path_factory.mktemp("bench")
    job = _job(folder)
    before = torch.get_num_threads()
    rows = stages(small_networks(), job)
    found = measure(rows, _frames(job.real_frames), job, SEEDED_LABEL, lambda _done, _all: None)
    found.write(folder)
    assert torch.get_num_threads() == before
    return found, folder


def test_every_row_draws_the_originals_pictures(report: tuple[BenchReport, Path]) -> None:
    found, _ = report
    assert [row.name for row in found.rows] == _NAMES
    assert found.rows[0].psnr_db is None
    for row in found.measured:
        assert row.frames == 2
        assert all(seconds > 0 for seconds in row.seconds)
        assert row.psnr_db is None or row.psnr_db > 40
    reasons = {row.name: row.left_out for row in found.rows if row.left_out}
    assert reasons.keys() <= {"cuDNN autotune", "pinned memory + streams", "half precision"}
    assert reasons["cuDNN autotune"].startswith("n/a on cpu")


def test_files(report: tuple[BenchReport, Path]) -> None:
    found, folder = report
    values = json.loads((folder / "bench.json").read_text(encoding="utf-8"))
    assert values["weights"] == "seeded weights: speed is real, pictures are noise"
    assert [row["name"] for row in values["rows"]] == _NAMES
    fast = values["rows"][5]
    assert fast["fps"] == pytest.approx(1000 / fast["median_ms"], rel=1e-2)
    assert fast["speed_up"] == pytest.approx(found.speed_up(found.rows[5]), abs=1e-3)
    table = (folder / "bench.md").read_text(encoding="utf-8")
    assert SEEDED_LABEL in table
    assert "| cuDNN autotune | n/a on cpu: belongs to CUDA |" in table
    assert (folder / "bench.png").read_bytes().startswith(b"\x89PNG")


def test_no_row_skips_frames(tmp_path: Path) -> None:
    job = _job(tmp_path, frames=8, batch=4)
    one, four = _Counting(0), _Counting(1)
    rows = [
        Stage("original", "", lambda: one),
        Stage("batching", "", lambda: four, batch=4, workers=2),
        Stage("other", "", left_out="why"),
    ]
    seen: list[tuple[int, int]] = []
    found = measure(rows, _frames(8), job, "label", lambda *step: seen.append(step))
    assert sum(one.calls) == 8 + 1  # and a warm-up
    assert four.calls == [4, 4, 4]
    assert len(found.rows[0].seconds) == 8
    assert len(found.rows[1].seconds) == 2
    assert found.rows[1].psnr_db == pytest.approx(20 * math.log10(255))
    assert found.rows[2].left_out == "why"
    # two warm-ups; the original's eight turns, and one of each round of four
    assert seen[-1] == (12, 12)


def test_pasting_by_threads_pastes_every_frame() -> None:
    frames = _frames(5)
    for workers in (0, 2):
        decoder = _Counting(0)
        stage = Stage("s", "", batch=2, workers=workers)
        assert len(draw(stage, decoder, [0], frames)) == 5
        assert decoder.calls == [2, 2, 1]


def test_row_figures() -> None:
    row = BenchRow("a", "b", seconds=(0.1, 0.2, 0.3, 0.4, 0.5))
    assert row.median == 0.3
    assert row.fps == pytest.approx(1 / 0.3)
    assert row.quartiles == pytest.approx((0.2, 0.4))
    assert BenchRow("a", "b", seconds=(0.1,)).quartiles == (0.1, 0.1)
    assert psnr_db([0, 0]) is None
    assert psnr_db([0, 2]) == pytest.approx(20 * math.log10(255))


def test_peak_memory_sees_what_a_block_takes() -> None:
    with peak_memory("cpu") as peak:
        block = np.ones(50_000_000, np.uint8)
    assert block.sum() == 50_000_000
    assert 40 < peak.mb < 200


def test_jobs(tmp_path: Path) -> None:
    job = _job(tmp_path, frames=5, batch=2)
    assert (job.real_device, job.real_batch, job.real_frames) == ("cpu", 2, 6)
    for settings, message in (
        ({"frames": 0}, "frames is 0; accepted: 1 to 10000"),
        ({"batch": 65}, "batch is 65"),
        ({"threads": 0}, "threads is 0"),
    ):
        with pytest.raises(ConfigError, match=message):
            _job(tmp_path, **settings)
    with pytest.raises(ConfigError, match="accepted: auto, cpu, cuda"):
        BenchJob(Path("a"), Path("b"), tmp_path, device="tpu")  # type: ignore[arg-type]
