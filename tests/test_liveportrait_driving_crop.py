"""One box per driving video, and a face followed through frames that do not all show it."""

from collections.abc import Sequence

import numpy as np
import pytest

from liveportrait.source.crop import HUMAN_SOURCE, crop_image
from liveportrait.source.driving_crop import (
    FaceTrack,
    crop_needed,
    crop_source_frames,
    crop_to_box,
    driving_box,
    track_faces,
)
from liveportrait.source.faces import AnalysedFace, FaceAnalyser
from models.errors import NoFaceError
from models.shapes import FloatArray, Image
from tests.liveportrait_fixtures import golden_image
from tests.test_liveportrait_crop_box import CROP, LANDMARKS

POINTS = CROP["driving/lmk"]


def test_the_mean_box_is_the_official_one() -> None:
    boxes = [driving_box(points[None]) for points in POINTS]
    np.testing.assert_allclose(boxes, CROP["driving/boxes"], atol=5e-4)
    np.testing.assert_allclose(driving_box(POINTS), CROP["driving/global_bbox"], atol=5e-4)


def test_frames_are_cut_as_officially() -> None:
    photo = golden_image("photo_480x360")
    crop = crop_to_box(photo, CROP["driving/global_bbox"], POINTS[1])
    np.testing.assert_allclose(crop.to_crop, CROP["driving/M_o2c"], atol=5e-4)
    np.testing.assert_allclose(crop.to_photo, CROP["driving/M_c2o"], atol=5e-4)
    assert crop.landmarks_crop is not None
    np.testing.assert_allclose(crop.landmarks_crop, CROP["driving/lmk_crop"], atol=5e-4)
    pixels = crop.image[::8, ::8].astype(int)
    assert np.abs(pixels - CROP["driving/img_sub"]).max() <= 4
    turned = crop_to_box(photo, CROP["driving/global_bbox"], angle=0.3)
    np.testing.assert_allclose(turned.to_crop, CROP["driving/rot_M_o2c"], atol=5e-4)


def test_the_networks_picture_of_a_driving_frame_is_bilinear() -> None:
    import cv2

    crop = crop_to_box(golden_image("photo_480x360"), CROP["driving/global_bbox"])
    np.testing.assert_array_equal(crop.image_256, cv2.resize(crop.image, (256, 256)))


def test_only_square_videos_are_left_whole() -> None:
    assert not crop_needed((512, 512))
    assert crop_needed((480, 908))


class Scripted(FaceAnalyser):
    """Sees a face at x in frames whose first pixel is x, none where it is 0."""

    name = "scripted"

    def __init__(self) -> None:
        self.found: list[int] = []
        self.tracked: list[tuple[int, bool]] = []

    def find(self, image: Image) -> list[AnalysedFace]:
        self.found.append(int(image[0, 0, 0]))
        return self._faces(image)

    def track(self, image: Image, last: AnalysedFace | None) -> AnalysedFace | None:
        self.tracked.append((int(image[0, 0, 0]), last is not None))
        return max(self._faces(image), key=lambda face: face.area_px, default=None)

    @staticmethod
    def _faces(image: Image) -> list[AnalysedFace]:
        x = float(image[0, 0, 0])
        small = np.full((203, 2), x + 1, np.float32)
        points: FloatArray = np.full((203, 2), x, np.float32)
        large = AnalysedFace(points, points, (0, 0, 40, 40))
        return [AnalysedFace(small, small, (0, 0, 9, 9)), large] if x else []


def frames(marks: Sequence[int]) -> list[Image]:
    return [np.full((4, 4, 3), mark, np.uint8) for mark in marks]


def test_frames_without_a_face_take_their_neighbours_points() -> None:
    track = track_faces(frames([0, 0, 7, 0, 8, 9, 0]), Scripted(), "clip.mp4")
    assert track.points[:, 0, 0].tolist() == [7, 7, 7, 7, 8, 9, 9]
    assert track.seen.tolist() == [False, False, True, False, True, True, False]
    assert track.points.shape == (7, 203, 2)


def test_a_lost_face_is_searched_for_thoroughly_every_second() -> None:
    analyser = Scripted()
    track = track_faces(frames([0, 5, 6, *[0] * 26, 8]), analyser, "clip.mp4")
    assert analyser.found == [0, 0, 0]  # the first frame, and the 1st and 26th lost one
    assert analyser.tracked[:3] == [(0, False), (5, False), (6, True)]
    assert track.points[-3:, 0, 0].tolist() == [6, 6, 8]


def test_a_video_without_any_face_is_named() -> None:
    with pytest.raises(NoFaceError, match=r"3 frames of clip\.mp4"):
        track_faces(frames([0, 0, 0]), Scripted(), "clip.mp4")
    with pytest.raises(NoFaceError, match=r"empty\.mp4"):
        track_faces([], Scripted(), "empty.mp4")


def test_source_frames_are_cut_around_their_own_points_in_order() -> None:
    photo = golden_image("photo_480x360")
    names = ("pt203_up", "pt203_roll", "pt203_negroll", "pt203_edge") * 2
    points = np.stack([LANDMARKS[name] for name in names])
    track = FaceTrack(points, np.ones(len(points), bool))
    crops = list(crop_source_frames([photo] * len(points), track, workers=3))
    for crop, own in zip(crops, points, strict=True):
        alone = crop_image(photo, own, HUMAN_SOURCE)
        np.testing.assert_array_equal(crop.image, alone.image)
        np.testing.assert_array_equal(crop.image_256, alone.image_256)
        np.testing.assert_array_equal(crop.to_photo, alone.to_photo)


def test_frames_and_points_must_be_as_many() -> None:
    track = FaceTrack(POINTS, np.ones(len(POINTS), bool))
    photo = golden_image("photo_480x360")
    with pytest.raises(ValueError, match="argument"):
        list(crop_source_frames([photo] * 3, track))
