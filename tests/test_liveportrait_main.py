"""``python -m liveportrait``: what it offers, what it refuses, one run from end to end."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from liveportrait.__main__ import app
from liveportrait.source.media import read_frames
from tests.conftest import ROOT
from tests.test_liveportrait_animate_lite import talker, write_clip

SOURCE = ROOT / "server" / "avatars" / "p03.jpg"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "talker.mp4"
    write_clip(path, talker()[:6])
    return path


def test_help_groups_the_options_and_names_every_command() -> None:
    overview = CliRunner().invoke(app, ["--help"])
    for command in ("animate", "make-template", "bench", "check", "convert-weights", "sheet"):
        assert command in overview.output
    animate = CliRunner().invoke(app, ["animate", "--help"], env={"COLUMNS": "160"})
    for shown in ("Files", "Motion", "Picture", "How it runs", "--crop-box", "--absolute"):
        assert shown in animate.output


def test_animate_makes_a_video(clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    arguments = ["animate", "--source", SOURCE, "--driving", clip, "--out", out]
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    assert "6 frames" in result.output
    assert "100%" in result.stderr
    assert len(read_frames(out)) == 6


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--engine", "liveportrait"], "python -m models fetch liveportrait"),
        (["--stitching", "--no-stitching"], "bad_config: the lite engine has no stitching"),
        (["--crop-box", "1,2,3"], "bad_config: crop_box is '1,2,3'"),
        (["--driving-multiplier", "99"], "bad_config: driving_multiplier is 99"),
        (["--engine", "other"], "Invalid value"),
    ],
)
def test_animate_refuses_in_one_line(
    clip: Path, tmp_path: Path, arguments: list[str], said: str
) -> None:
    out = tmp_path / "out.mp4"
    files = ["--source", str(SOURCE), "--driving", str(clip), "--out", str(out)]
    result = CliRunner().invoke(app, ["animate", *files, *arguments])
    assert result.exit_code != 0
    assert said in result.stderr.replace("\n", " ")
    assert not out.exists()


def test_a_photograph_without_a_face_is_refused(clip: Path, tmp_path: Path) -> None:
    wall = tmp_path / "wall.png"
    cv2.imwrite(str(wall), np.full((200, 200, 3), 120, np.uint8))
    files = ["--source", str(wall), "--driving", str(clip), "--out", str(tmp_path / "o.mp4")]
    result = CliRunner().invoke(app, ["animate", *files])
    assert result.exit_code == 1
    assert "no_face: " in result.stderr


def test_other_commands_tell_what_is_wrong(clip: Path, tmp_path: Path) -> None:
    template = CliRunner().invoke(
        app, ["make-template", "--driving", str(clip), "--out", str(tmp_path / "t.txt")]
    )
    assert template.exit_code == 1
    assert "accepted: .pkl, .safetensors" in template.stderr
    convert = CliRunner().invoke(app, ["convert-weights", "--weights", str(tmp_path)])
    assert convert.exit_code == 1
    assert "weights" in convert.stderr


def test_the_check_runs_where_typer_is_not_installed(tmp_path: Path) -> None:
    program = (
        "import runpy, sys\n"
        "for name in ('typer', 'cv2', 'av', 'mediapipe', 'openvino', 'tqdm'):\n"
        "    sys.modules[name] = None\n"
        f"sys.argv = ['liveportrait', 'check', '--out', {str(tmp_path)!r}]\n"
        "runpy.run_module('liveportrait', run_name='__main__')\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 2
    assert "name the device" in result.stdout
