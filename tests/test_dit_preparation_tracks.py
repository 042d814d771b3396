"""One face followed: cuts, losses, jumps and long scenes end a stretch, nothing else does."""

from pathlib import Path

import numpy as np

from dit.preparation.settings import SceneSettings
from dit.preparation.tracks import Scene, Track, track_scenes
from models.face_landmarks import FaceLandmarks
from models.shapes import Image
from tests.preparation_fixtures import ScriptedDetector, mesh_at

SETTINGS = SceneSettings(most_gap_frames=3, longest_s=2.0)


def pictures(count: int, *cuts: int) -> list[Image]:
    """Noise over a colour that changes at the cuts."""
    rng = np.random.default_rng(0)
    colours = [(40, 90, 200), (210, 160, 30), (30, 200, 60)]
    base = [np.array(colours[sum(f >= cut for cut in cuts)]) for f in range(count)]
    noisy = [colour + rng.normal(0, 4, (80, 120, 3)) for colour in base]
    return [np.clip(picture, 0, 255).astype(np.uint8) for picture in noisy]


def scenes(
    script: list[list[FaceLandmarks]], *cuts: int, settings: SceneSettings = SETTINGS
) -> list[Scene]:
    detector = ScriptedDetector(script)
    return list(track_scenes(pictures(len(script), *cuts), detector, settings))


def spans(found: list[Scene]) -> list[tuple[int, int]]:
    return [(s.frames.start, s.frames.stop) for s in found]


def test_a_hard_cut_ends_a_scene_even_when_the_face_stays() -> None:
    assert spans(scenes([[mesh_at(60, 40, 40)]] * 30, 12)) == [(0, 12), (12, 30)]


def test_a_face_that_moves_on_is_followed_and_one_that_jumps_is_another() -> None:
    slow = [[mesh_at(40 + f, 40, 40)] for f in range(20)]
    assert spans(scenes(slow)) == [(0, 20)]
    jump = [[mesh_at(30, 40, 40)]] * 10 + [[mesh_at(90, 40, 40)]] * 10
    first, second = scenes(jump)
    assert first.frames.stop == 10
    assert second.frames.stop == 20
    assert abs(second.points[0, :, 0].mean() - 90) < 1


def test_the_same_person_is_followed_past_a_larger_one() -> None:
    own = [mesh_at(30, 40, 30, seed=1)]
    script = [own] * 5 + [[own[0], mesh_at(90, 40, 38, seed=2)]] * 10
    (scene,) = scenes(script)
    np.testing.assert_allclose(scene.points, np.repeat(own[0].points[None], 15, 0), atol=1e-4)
    assert scene.rivals[:5].max() == 0.0
    np.testing.assert_allclose(scene.rivals[5:], 38 / 30, rtol=1e-3)


def test_short_losses_are_bridged_on_a_line_and_long_ones_end_the_scene() -> None:
    at = [20, 21, None, None, 24, 25, None, None, None, None, None, 31, 32]
    (first, second) = scenes([[] if x is None else [mesh_at(x, 40, 40)] for x in at])
    assert spans([first, second]) == [(0, 6), (11, 13)]
    assert first.found.tolist() == [True, True, False, False, True, True]
    np.testing.assert_allclose(first.points[:, :, 0].mean(1), [20, 21, 22, 23, 24, 25], atol=1e-3)


def test_long_scenes_come_in_pieces_and_pictures_without_a_face_in_none() -> None:
    script = [[mesh_at(60, 40, 40)]] * 120
    assert spans(scenes(script)) == [(0, 50), (50, 100), (100, 120)]
    assert scenes([[]] * 20) == []


def test_scenes_and_tracks_are_stored_as_they_are(tmp_path: Path) -> None:
    (scene,) = scenes([[mesh_at(60, 40, 40)]] * 20)
    scene.save(tmp_path / "scene.npz")
    again = Scene.load(tmp_path / "scene.npz")
    assert again.start_frame == scene.start_frame
    for name in ("points", "found", "sharpness", "rivals", "thumbnail"):
        np.testing.assert_array_equal(getattr(again, name), getattr(scene, name))
    assert scene.sharpness.min() > 0
    assert len(scene.thumbnail) > 100
    track = Track(scene.points, scene.found, np.linspace(-1, 1, 12_800, dtype=np.float32))
    track.save(tmp_path / "tracks/a.npz")
    np.testing.assert_allclose(Track.load(tmp_path / "tracks/a.npz").wave, track.wave, atol=1e-4)
