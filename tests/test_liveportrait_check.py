"""The GPU check: its arithmetic, its report, and the whole command as a dry run on the CPU."""

import json
import subprocess
import sys
import zlib
from pathlib import Path
from struct import pack

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from liveportrait.check import main
from liveportrait.check.context import CheckContext, CheckOptions
from liveportrait.check.intervals import hidden_share, merged
from liveportrait.check.overlap import analysed
from liveportrait.check.parity import compared, psnr_db
from liveportrait.check.png import read_png
from liveportrait.check.report import parity_holds, requirements
from liveportrait.check.sessions import largest
from liveportrait.check.timing import planned
from liveportrait.networks.networks import Networks
from liveportrait.runtime import cuda_decoder, frame_network
from models.errors import NotAnImageError
from models.images import decode_image
from tests.conftest import ROOT
from tests.liveportrait_fixtures import GOLDEN

# What a bare GPU machine has not; the check must not ask for any of it.
BARE = """
import sys
HIDDEN = {"yaml", "safetensors", "cv2", "PIL", "typer", "scipy", "av", "transformers", "openvino",
          "tqdm", "matplotlib", "pydantic", "rich", "onnx", "insightface", "librosa", "numba"}
class Bare:
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in HIDDEN:
            return self.finder.find_spec(name, path, target)
sys.meta_path[:] = [Bare(finder) for finder in sys.meta_path]
from liveportrait.check import main
sys.exit(main(["--device", "cpu", "--quick", "--out", sys.argv[1],
               "--stages", "machine,networks", "--networks", "S"]))
"""


class Flat(nn.Module):
    """In place of W and G: a grey picture."""

    def __init__(self, _: Networks, plan: frame_network.PrecisionPlan, *__: object, **___: object):
        super().__init__()
        self.plan = plan

    def forward(self, feature: Tensor, x_s: Tensor, x_d: Tensor) -> Tensor:
        level = feature[:, 0, 0, 0, 0] + x_s[:, 0, 0] + x_d[:, 0, 0]
        return level.abs().to(torch.uint8)[:, None, None, None].expand(-1, 512, 512, 3)


def test_the_command_runs_every_stage_and_fails_without_parity(
    tmp_path: Path,
    seeded: Networks,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(cuda_decoder, "FrameNetwork", Flat)
    monkeypatch.setattr(frame_network, "FrameNetwork", Flat)
    arguments = ["--device", "cpu", "--quick", "--out", str(tmp_path), "--networks", "S"]
    assert main(arguments, seeded) == 1  # a grey picture is not the official one
    found = json.loads((tmp_path / "check.json").read_text())
    stages = found["stages"]
    assert list(stages) == ["machine", "networks", "paths", "timing", "overlap", "sessions"]
    assert not [name for name, stage in stages.items() if "error" in stage]
    assert stages["networks"]["ok"]
    assert not stages["paths"]["ok"]
    assert [row["name"] for row in stages["paths"]["rows"] if row["ok"]] == ["graph against eager"]
    assert {row["execution"] for row in stages["timing"]["rows"]} == {"eager"}
    assert stages["sessions"]["runs"][0]["frames"] == 1
    holds = [row["holds"] for row in found["requirements"]]
    assert holds == [True, False, None, None, None]
    assert "| fast path as the plain one | 1 of 2 (not: fp32 chain) | FAIL |" in (
        tmp_path / "check.md"
    ).read_text(encoding="utf-8")
    assert "FAIL  fast path as the plain one" in capsys.readouterr().out


def test_a_stage_that_fails_does_not_stop_the_next(
    tmp_path: Path, seeded: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise MemoryError("no memory")

    monkeypatch.setattr(cuda_decoder, "FrameNetwork", broken)
    arguments = ["--device", "cpu", "--quick", "--out", str(tmp_path), "--networks", "S"]
    assert main([*arguments, "--stages", "networks,overlap,machine"], seeded) == 0
    stages = json.loads((tmp_path / "check.json").read_text())["stages"]
    assert stages["overlap"]["error"] == "MemoryError: no memory"
    assert stages["machine"]["ok"]
    assert main([*arguments, "--stages", "paths"], seeded) == 1


def test_it_runs_on_a_bare_machine(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", BARE, str(tmp_path)]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "fp32 S deltas" in answer.stdout
    assert (tmp_path / "check.md").is_file()


def test_without_a_device_it_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(["--out", str(tmp_path)]) == 2
    assert main(["--cuda", "--out", str(tmp_path)]) == 2
    assert "--device cpu makes a dry run" in capsys.readouterr().out


def test_copies_under_computing() -> None:
    assert merged([(5, 6), (0, 2), (1, 3), (3, 4)]) == [(0, 4), (5, 6)]
    assert hidden_share([(1, 2), (3, 5)], [(0, 4)]) == pytest.approx(2 / 3)
    assert hidden_share([(1, 2)], [(1.5, 9), (0, 1.2)]) == pytest.approx(0.7)
    assert hidden_share([], [(0, 1)]) is None


def test_a_trace_is_read() -> None:
    def event(cat: str, name: str, ts: float, dur: float, stream: int) -> dict[str, object]:
        return {
            "ph": "X", "cat": cat, "name": name, "ts": ts, "dur": dur, "args": {"stream": stream},
        }  # fmt: skip

    found = analysed(
        [
            event("kernel", "conv", 0, 100, 7),
            event("kernel", "conv", 100, 100, 7),
            event("gpu_memcpy", "Memcpy DtoH (Device -> Pinned)", 50, 10, 13),
            event("gpu_memcpy", "Memcpy DtoH (Device -> Pinned)", 195, 10, 13),
            event("gpu_memcpy", "Memcpy DtoH (Device -> Pinned)", 300, 10, 13),
            event("gpu_memcpy", "Memcpy HtoD (Pinned -> Device)", 250, 10, 7),
            {"ph": "M", "name": "process_name"},
        ]
    )
    assert found["hidden_share_trace"] == pytest.approx(15 / 20)  # the last is left out
    assert found["copies"] == 3
    assert found["trace_streams"] == [["compute", 7], ["copy", 13]]


def test_parity_rows() -> None:
    golden = np.ones((2, 2), np.float32)
    assert compared("F feature", "fp32", golden + 1e-4, golden)["ok"]
    assert not compared("F feature", "fp32", golden + 3e-4, golden)["ok"]
    assert not compared("F feature", "bf16", golden * np.nan, golden)["ok"]
    assert compared("F feature", "fp16", golden * 1.005, golden)["ok"]
    assert not compared("F feature", "fp16", golden * 1.02, golden)["ok"]
    assert not compared("G image", "bf16", golden + 0.1, golden)["ok"]
    assert psnr_db(np.full(4, 0.1), 1.0) == pytest.approx(20)


def test_the_verdict_needs_a_parity_stage() -> None:
    assert not parity_holds({})
    assert not parity_holds({"timing": {"ok": True}})
    assert parity_holds({"networks": {"ok": True}, "timing": {"ok": False}})
    assert not parity_holds({"networks": {"ok": True}, "paths": {"ok": False}})
    found = requirements(
        {
            "timing": {"ms_per_frame_at_8": 2.5, "best_at_8": "fp16 graph", "holds": True},
            "sessions": {"sessions": 14, "holds": False},
            "overlap": {"hidden_share": 0.97, "holds": True},
        }
    )
    assert [holds for *_, holds in found] == [None, None, True, False, True]


@pytest.mark.parametrize("most", [0, 1, 7, 16, 40])
def test_the_largest_number_of_sessions(most: int) -> None:
    tried: list[int] = []

    def holds(sessions: int) -> bool:
        tried.append(sessions)
        return sessions <= most

    assert largest(40, holds) == most
    assert len(tried) <= 6


@pytest.mark.parametrize("name", ["img_a_256", "img_b_256"])
def test_golden_pictures_are_read_without_a_library(name: str) -> None:
    data = (GOLDEN / f"{name}.png").read_bytes()
    assert np.array_equal(read_png(data), decode_image(data))


@pytest.mark.parametrize("kind", range(5))
def test_every_png_filter_is_undone(kind: int) -> None:
    width, height = 3, 4
    rows = np.random.default_rng(kind).integers(0, 256, (height, 3 * width), np.uint8)
    packed = zlib.compress(b"".join(bytes([kind]) + row.tobytes() for row in rows))
    data = png(pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), packed)
    assert np.array_equal(read_png(data), decode_image(data))


def test_other_pictures_are_refused() -> None:
    with pytest.raises(NotAnImageError, match="not a PNG"):
        read_png(b"GIF89a")
    with pytest.raises(NotAnImageError, match="accepted: 8 bits"):
        read_png(png(pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0), b""))


def png(header: bytes, packed: bytes) -> bytes:
    chunks = ((b"IHDR", header), (b"IDAT", packed), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        pack(">I", len(body)) + kind + body + pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def test_every_batch_size_is_planned(tmp_path: Path, seeded: Networks) -> None:
    context = CheckContext(CheckOptions("cuda", tmp_path), seeded)
    cases = planned(context)
    assert len({case.label for case in cases}) == len(cases)
    for precision in ("fp16", "bf16"):
        graphs = {c.size for c in cases if c[:3] == (precision, "graph", True)}
        assert graphs == {1, 2, 4, 8, 16}
    assert {c.execution for c in cases} == {"graph", "eager", "compiled", "compiled_graph"}
    assert cases[0].label == "fp16 graph fast batch 8"
    quick = CheckContext(CheckOptions("cuda", tmp_path, quick=True), seeded)
    assert set(planned(quick)) < set(cases)


def test_the_budget_runs_down(tmp_path: Path, seeded: Networks) -> None:
    context = CheckContext(CheckOptions("cpu", tmp_path, budget_s=100.0), seeded)
    assert 0 < context.remaining_s <= 100
    context.started -= 200
    assert context.remaining_s < 0


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_parity_holds_on_this_gpu(tmp_path: Path, seeded: Networks) -> None:
    arguments = ["--cuda", "--quick", "--out", str(tmp_path), "--stages", "machine,networks,paths"]
    assert main(arguments, seeded) == 0
