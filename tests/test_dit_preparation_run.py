"""A folder of clips from end to end, on faces that say known words at known times."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dit.preparation.clip import Job
from dit.preparation.pool import in_processes
from dit.preparation.run import prepare_folder
from dit.preparation.settings import (
    OffsetSettings,
    PrepareSettings,
    QualitySettings,
    settings_of,
)
from dit.preparation.shards import MOTION_FIELDS, Shard, read_shards
from dit.preparation.tracks import Track
from dit.preparation.video import ClipError
from models.held_out import TALKING_CLIPS, Splits
from models.timing import FPS, SAMPLES_PER_FRAME
from tests.conftest import ROOT
from tests.preparation_fixtures import (
    greys,
    late,
    mouth_saying,
    spoken,
    talking_pictures,
    write_clip,
)
from tests.speech_encoder_fixtures import write_encoder

LATE_FRAMES = 4
SHORT_FRAMES = 30


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("encoders") / "tiny")


def job_of(out: Path, encoder: Path) -> Job:
    splits = Splits({"Two__": "validation", "sub__Two__": "validation"})
    return Job(out, settings_of("lite"), splits, ROOT / "weights", encoder)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, encoder: Path) -> Path:
    """The results of a folder with clips of every kind."""
    folder = tmp_path_factory.mktemp("clips")
    one, two = talking_pictures("p01", 0), talking_pictures("p02", 1)
    write_clip(folder / "One__late.mkv", one, FPS, late(spoken(0)[0], LATE_FRAMES))
    both = np.concatenate([spoken(0)[0], spoken(1)[0]])
    write_clip(folder / "sub/Two__cut.mkv", one + two, FPS, both)
    write_clip(folder / "One__wrong.mkv", one, FPS, late(spoken(2)[0], 0)[: len(spoken(0)[0])])
    pair = [np.concatenate([a, b], 1) for a, b in zip(one[:60], two[:60], strict=True)]
    write_clip(folder / "One__pair.mkv", pair, FPS, spoken(0)[0][: 60 * SAMPLES_PER_FRAME])
    write_clip(folder / "One__grey.mkv", greys(30), FPS, spoken(0)[0])
    write_clip(folder / "One__silent.mkv", one[:30], FPS, None)
    (folder / "One__text.mp4").write_text("no video")
    out = tmp_path_factory.mktemp("prepared")
    prepare_folder(job_of(out, encoder), folder)
    return out


def stretches(out: Path) -> dict[str, dict[str, object]]:
    report = json.loads((out / "report.json").read_text())
    return {s["name"]: s for clip in report["clips"] for s in clip["stretches"]}


def shards(out: Path) -> dict[str, Shard]:
    return {s.name: s for s in read_shards(out / "shards")}


def test_late_sound_is_found_and_moved_back(prepared: Path) -> None:
    shard = shards(prepared)["One__late-000"]
    assert abs(shard.origin.lag_frames - LATE_FRAMES) <= 1
    lag = int(shard.origin.lag_frames)
    assert len(shard.gap) == len(mouth_saying(0)) - lag
    track = Track.load(prepared / "tracks/One__late-000.npz")
    heard = late(spoken(0)[0], LATE_FRAMES)[lag * SAMPLES_PER_FRAME :]
    np.testing.assert_allclose(track.wave, heard, atol=1e-3)
    assert len(shard.voice.embeddings) == len(shard.motion) == len(track.points)


def test_the_lips_are_those_that_were_drawn(prepared: Path) -> None:
    shard = shards(prepared)["One__late-000"]
    drawn = mouth_saying(0)[: len(shard.gap), 0]
    assert np.corrcoef(shard.gap, drawn)[0, 1] > 0.9
    lower, upper = shard.motion.exp[:, 5, 1], shard.motion.exp[:, 4, 1]
    assert np.corrcoef(lower - upper, drawn)[0, 1] > 0.9


def test_a_hard_cut_parts_two_people(prepared: Path) -> None:
    found = stretches(prepared)
    border = len(mouth_saying(0)) / FPS
    first, second = found["sub__Two__cut-000"], found["sub__Two__cut-001"]
    assert (first["start_s"], first["end_s"], second["start_s"]) == (0.0, border, border)
    assert first["split"] == "validation"
    kept = [n for n, s in shards(prepared).items() if s.split == "validation"]
    assert kept == ["sub__Two__cut-000", "sub__Two__cut-001"]


def test_what_is_left_out_has_its_reason(prepared: Path) -> None:
    found = stretches(prepared)
    for name, reason in {
        "One__wrong-000": "sound does not fit the mouth",
        "One__pair-000": "several faces",
    }.items():
        reasons = found[name]["reasons"]
        assert isinstance(reasons, list)
        assert any(reason in told for told in reasons), (name, reasons)
        assert name not in shards(prepared)
        assert not (prepared / f"tracks/{name}.npz").exists()
    report = json.loads((prepared / "report.json").read_text())
    errors = {clip["name"]: clip["error"] for clip in report["clips"] if clip["error"]}
    assert set(errors) == {"One__silent", "One__text"}
    assert "no sound" in errors["One__silent"]
    assert "not a video" in errors["One__text"]
    assert report["totals"]["clips"] == 7
    assert report["totals"]["stretches_kept"] == len(shards(prepared)) == 3


def test_the_page_stands_alone_and_shows_faces_and_reasons(prepared: Path) -> None:
    page = (prepared / "index.html").read_text()
    assert page.count("data:image/jpeg;base64,") == len(stretches(prepared))
    assert "sound does not fit the mouth" in page
    assert "One__text.mp4" in page
    assert "http" not in page
    assert "<script" not in page


def short_clips(folder: Path) -> Path:
    """Three clips of a second, quick to prepare."""
    for place, name in enumerate(("a", "b", "c")):
        start = place * 5
        pictures = talking_pictures("p01", 0)[start : start + SHORT_FRAMES]
        wave = spoken(0)[0][start * SAMPLES_PER_FRAME :][: SHORT_FRAMES * SAMPLES_PER_FRAME]
        write_clip(folder / f"{name}.mkv", pictures, FPS, wave)
    (folder / "d.mp4").write_text("no video")
    return folder


def lenient(out: Path, encoder: Path) -> Job:
    settings = replace(
        settings_of("lite"),
        offset=OffsetSettings(least_confidence=-9.0, most_lag_frames=3),
        quality=QualitySettings(shortest_s=0.5, least_speech=0.0),
    )
    return replace(job_of(out, encoder), settings=settings)


def results(out: Path) -> dict[str, bytes]:
    """Everything that a run is for, without notes of when a clip was made."""
    paths = [*out.glob("shards/*"), *out.glob("tracks/*"), out / "report.json", out / "index.html"]
    return {p.name: p.read_bytes() for p in sorted(paths)}


def assert_same_stretches(one: Path, other: Path) -> None:
    """What was kept is equal but for the last bits of sums, which another process may take in
    another order."""
    assert {p.name for p in one.rglob("*.npz")} == {p.name for p in other.rglob("*.npz")}
    assert (one / "report.json").read_bytes() == (other / "report.json").read_bytes()
    pairs = zip(read_shards(one / "shards"), read_shards(other / "shards"), strict=True)
    for first, second in pairs:
        assert (first.name, first.split, first.origin) == (second.name, second.split, second.origin)
        np.testing.assert_allclose(first.gap, second.gap, atol=1e-4)
        np.testing.assert_allclose(first.width, second.width, atol=1e-4)
        for name in MOTION_FIELDS:
            values = getattr(first.motion, name), getattr(second.motion, name)
            np.testing.assert_allclose(*values, atol=1e-4, err_msg=name)
        heard = first.voice.embeddings, second.voice.embeddings
        np.testing.assert_allclose(*heard, atol=5e-3, rtol=5e-3)  # in half precision


def test_a_run_that_is_stopped_goes_on_and_several_processes_do_the_same(
    tmp_path: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = short_clips(tmp_path / "clips")
    prepare_folder(lenient(tmp_path / "whole", encoder), clips)
    whole = results(tmp_path / "whole")
    assert len(list(read_shards(tmp_path / "whole/shards"))) == 3

    def stopped(*given: object) -> Iterator[object]:
        yield next(in_processes(*given))  # type: ignore[arg-type]
        (tmp_path / "again/scenes/b-000.npz").write_bytes(b"half a file")
        raise KeyboardInterrupt

    monkeypatch.setattr("dit.preparation.run.in_processes", stopped)
    with pytest.raises(KeyboardInterrupt):
        prepare_folder(lenient(tmp_path / "again", encoder), clips)
    assert not (tmp_path / "again/shards").exists()
    note = tmp_path / "again/scenes/a.json"
    before = note.stat().st_mtime_ns
    monkeypatch.undo()
    prepare_folder(lenient(tmp_path / "again", encoder), clips)
    assert note.stat().st_mtime_ns == before, "the first clip was tracked anew"
    assert results(tmp_path / "again") == whole

    prepare_folder(lenient(tmp_path / "two", encoder), clips, processes=2)
    assert_same_stretches(tmp_path / "two", tmp_path / "whole")


def test_ray_takes_the_same_steps(tmp_path: Path, encoder: Path) -> None:
    pytest.importorskip("ray", reason="ray comes with the extra `ray`")
    clips = short_clips(tmp_path / "clips")
    config = tmp_path / "lenient.yaml"
    config.write_text(
        "offset: {least_confidence: -9, most_lag_frames: 3}\n"
        "quality: {shortest_s: 0.5, least_speech: 0.0}\n"
    )
    job = replace(job_of(tmp_path / "plain", encoder), settings=PrepareSettings.load(config))
    prepare_folder(replace(job, splits=TALKING_CLIPS), clips)
    options = ["--ray", "--config", str(config), "--encoder", str(encoder)]
    command = [sys.executable, "-m", "dit", "prepare", str(clips), str(tmp_path / "ray"), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "3 of 3 stretches kept" in done.stdout
    assert_same_stretches(tmp_path / "ray", tmp_path / "plain")


def test_only_what_changed_is_done_again(tmp_path: Path, encoder: Path) -> None:
    clips = short_clips(tmp_path / "clips")
    job = lenient(tmp_path / "out", encoder)
    prepare_folder(job, clips)
    notes = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "out/scenes").glob("*.json")}
    (clips / "a.mkv").unlink()
    strict = replace(job.settings, quality=QualitySettings(shortest_s=9.0))
    totals = prepare_folder(replace(job, settings=strict), clips)
    assert (totals.clips, totals.kept) == (3, 0)
    assert dict(totals.left_out_by_reason) == {"too short": 2}
    after = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "out/scenes").glob("*.json")}
    assert after == notes, "other thresholds must not track again"
    assert list((tmp_path / "out/tracks").iterdir()) == []


def test_a_folder_without_clips_is_named(tmp_path: Path, encoder: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ClipError, match="no clips"):
        prepare_folder(job_of(tmp_path / "out", encoder), tmp_path / "empty")
