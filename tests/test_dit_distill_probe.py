import json
from pathlib import Path

import numpy as np
import pytest

from dit.distill_probe import (
    ProbeClip,
    loudness_feature,
    mel_feature,
    probe,
    probe_all,
    read_clips,
    standardised,
    with_sides,
)
from dit.preparation.tracks import Track
from models.device import DevicePolicy
from models.errors import MissingWeightsError
from models.shapes import FloatArray
from models.speech_encoder import SpeechEncoder
from tests.speech_encoder_fixtures import write_encoder


def talking_clip(name: str, seed: int, seconds: int = 6) -> ProbeClip:
    """A clip whose lip gap follows its loudness and whose lip width follows nothing."""
    rng = np.random.default_rng(seed)
    gain = np.repeat(rng.uniform(0.01, 0.3, 25 * seconds // 5), 5)
    wave = (gain.repeat(640) * rng.standard_normal(16_000 * seconds)).astype(np.float32)
    lips = np.stack([np.log(gain), rng.standard_normal(25 * seconds)], axis=1)
    return ProbeClip(name, standardised(lips.astype(np.float32)), wave)


def test_what_loudness_tells_is_found_and_what_it_does_not_is_not() -> None:
    clips = [talking_clip(f"{n}__{i}", i) for i, n in enumerate(["A", "A", "B", "C"])]
    clips += [talking_clip(f"LipNet__{i}", 10 + i) for i in range(4)]
    result = probe(clips, loudness_feature)
    assert result["lip_gap_r"] > 0.95
    assert result["lip_width_r"] < 0.5
    few = probe(clips, mel_feature, components=4)
    assert few["lip_gap_r"] > 0.9


def test_neighbours_stand_beside_each_frame() -> None:
    feature = np.arange(5, dtype=np.float32)[:, None]
    assert with_sides(feature)[2].tolist() == [0, 1, 2, 3, 4]
    assert with_sides(feature)[0].tolist() == [0, 0, 0, 1, 2]


def test_mel_frames_sit_on_the_frames_centres() -> None:
    wave = np.zeros(20 * 640, np.float32)
    wave[10 * 640 + 320] = 1.0
    mel = mel_feature(wave)
    assert mel.shape == (20, 26)
    assert int(np.argmax(mel.mean(1))) == 10


def test_tracks_are_read_and_probed_with_an_encoder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("moonshine_voice", reason="the teacher comes with the extra `train`")
    for name in ("A__1", "B__1", "LipNet__1"):
        save_track(tmp_path / "tracks" / f"{name}.npz")
    encoder = SpeechEncoder.load(write_encoder(tmp_path / "encoder"), DevicePolicy())
    results = probe_all(tmp_path / "tracks", encoder, tmp_path / "probe.json")
    written = json.loads((tmp_path / "probe.json").read_text())
    assert written["probe"] == results
    assert written["data"] == {"clips": 3, "held_out": 1, "seconds": 6.0}
    assert {"loudness", "mel", "teacher", "student"} <= set(results)
    assert "student" in capsys.readouterr().out


def save_track(path: Path) -> None:
    rng = np.random.default_rng(len(path.name))
    points: FloatArray = rng.standard_normal((50, 478, 3)).astype(np.float32)
    wave = (0.1 * rng.standard_normal(50 * 640)).astype(np.float32)
    Track(points, np.ones(50, np.bool_), wave).save(path)


def test_an_empty_folder_says_what_fills_it(tmp_path: Path) -> None:
    with pytest.raises(MissingWeightsError, match="python -m dit prepare"):
        read_clips(tmp_path)
