"""A strip of generated frames: from a motion file to a picture."""

from dataclasses import fields
from pathlib import Path

import cv2
import numpy as np
import pytest

from liveportrait.lite.sheet import write_sheet
from models.errors import ConfigError
from models.motion import Motion, rest
from models.weights import WEIGHTS_DIR
from tests.conftest import ROOT

AVATAR = ROOT / "server/avatars/p01.jpg"


def stored(path: Path, engine: str) -> Path:
    motion = rest(4)
    motion.exp[2, 5, 1] = motion.exp[2, 10, 1] = 12.0  # lower lip and chin
    arrays = {field.name: getattr(motion, field.name) for field in fields(Motion)}
    np.savez(path, **arrays, engine=np.str_(engine))
    return path


def test_a_motion_file_becomes_a_strip(tmp_path: Path) -> None:
    clip = stored(tmp_path / "said.npz", "lite")
    size = write_sheet(AVATAR, tmp_path / "strip.png", clip, slice(1, 3), 96, WEIGHTS_DIR)
    assert size == (2 * 96, 96)
    shut, opened = np.split(np.asarray(cv2.imread(str(tmp_path / "strip.png"))), 2, axis=1)
    assert np.abs(shut.astype(int) - opened).mean() > 0.5


def test_motion_that_it_cannot_draw_is_refused(tmp_path: Path) -> None:

    def refused(clip: Path, start: int, told: str) -> None:
        with pytest.raises(ConfigError, match=told):
            write_sheet(AVATAR, tmp_path / "x.png", clip, slice(start, start + 2), 96, WEIGHTS_DIR)

    refused(stored(tmp_path / "other.npz", "liveportrait"), 0, "accepted: lite")
    refused(stored(tmp_path / "short.npz", "lite"), 9, "4 frames only")
    (tmp_path / "text.npz").write_text("no motion")
    refused(tmp_path / "text.npz", 0, "dit sample")
