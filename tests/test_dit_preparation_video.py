"""Clips as files: which there are, pictures at 25 FPS, sound beside them."""

from pathlib import Path

import numpy as np
import pytest

from dit.preparation.video import ClipError, find_clips, probe, read_clip_sound, read_pictures
from models.errors import SoundError
from models.timing import FPS
from tests.dit_fixtures import babble
from tests.preparation_fixtures import greys, write_clip


@pytest.mark.parametrize("fps", [25, 30, 50, 10])
def test_pictures_come_at_25_fps_and_show_the_frame_nearest_in_time(
    tmp_path: Path, fps: int
) -> None:
    write_clip(tmp_path / "a.mkv", greys(fps * 2), fps, None)
    levels = [int(p[0, 0, 0]) // 2 for p in read_pictures(tmp_path / "a.mkv")]
    assert abs(len(levels) - 2 * FPS) <= 1
    for tick, level in enumerate(levels):
        assert abs(level / fps - tick / FPS) <= 0.5 / fps + 0.002


@pytest.mark.parametrize("fps", [25, 30])
@pytest.mark.parametrize("first", [10, 30, 75])
def test_a_later_start_gives_the_same_pictures(tmp_path: Path, fps: int, first: int) -> None:
    write_clip(tmp_path / "a.mkv", greys(100), fps, None)
    whole = [int(p[0, 0, 0]) for p in read_pictures(tmp_path / "a.mkv")]
    later = [int(p[0, 0, 0]) for p in read_pictures(tmp_path / "a.mkv", first)]
    assert later == whole[first:]


def test_sound_is_read_as_it_was_written(tmp_path: Path) -> None:
    wave = babble(1.0)
    write_clip(tmp_path / "a.mkv", greys(25), 25, wave)
    np.testing.assert_allclose(read_clip_sound(tmp_path / "a.mkv"), wave, atol=2e-4)


def test_the_header_is_told(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mkv", greys(60), 30, babble(2.0))
    info = probe(tmp_path / "a.mkv")
    assert (info.width, info.height, info.fps, info.has_sound) == (48, 32, 30.0, True)
    assert info.seconds == pytest.approx(2.0, abs=0.05)


def test_clips_are_found_in_nested_folders_under_names_of_their_own(tmp_path: Path) -> None:
    for path in ("b/One__x.mp4", "b/c/a.b.MOV", "a.mp4", "a.mkv", "note.txt"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    clips = find_clips(tmp_path)
    assert [c.source for c in clips] == ["a.mkv", "a.mp4", "b/One__x.mp4", "b/c/a.b.MOV"]
    names = [c.name for c in clips]
    assert (names[0], names[2]) == ("a", "b__One__x")
    assert len(set(names)) == 4
    assert all("." not in name for name in names)
    with pytest.raises(ClipError, match="no clips"):
        find_clips(tmp_path / "b" / "c" / "d")


def test_what_is_no_clip_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(ClipError, match=r"text\.mp4 is not a video"):
        probe(tmp_path / "text.mp4")
    with pytest.raises(ClipError, match="not a video"):
        next(read_pictures(tmp_path / "text.mp4"))
    write_clip(tmp_path / "silent.mkv", greys(3), 25, None)
    with pytest.raises(SoundError, match="no sound"):
        read_clip_sound(tmp_path / "silent.mkv")
