"""Both face finders in the official point layout; the official one's networks are stand-ins."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from liveportrait.animation.ratios import eye_ratios, lip_ratios
from liveportrait.source.crop import LANDMARK_INPUT, crop_image
from liveportrait.source.crop_box import face_axis, face_box
from liveportrait.source.faces import AnalysedFace, choose_analyser, the_face
from liveportrait.source.insightface_faces import (
    DETECTOR,
    POINTS_106,
    POINTS_203,
    InsightFaceAnalyser,
)
from liveportrait.source.mediapipe_faces import MediaPipeAnalyser, official_points
from models.errors import (
    ChecksumError,
    MissingWeightsError,
    NoFaceError,
    SeveralFacesError,
    WeightsError,
)
from models.images import decode_image
from models.shapes import AnyArray, FloatArray, Image
from models.weights import WEIGHTS_DIR, sha256_of
from tests.conftest import ROOT
from tests.liveportrait_fixtures import golden_image

AVATARS = sorted((ROOT / "server" / "avatars").glob("*.jpg"))


def avatar(index: int) -> Image:
    return decode_image(AVATARS[index].read_bytes())


@pytest.fixture(scope="module")
def analyser() -> MediaPipeAnalyser:
    return MediaPipeAnalyser.load(WEIGHTS_DIR)


@pytest.fixture(scope="module")
def faces(analyser: MediaPipeAnalyser) -> list[AnalysedFace]:
    """The face of every shipped portrait."""
    return [analyser.find_one(avatar(index)) for index in range(len(AVATARS))]


def test_eyes_and_mouth_are_where_the_official_code_looks_for_them() -> None:
    mesh = np.stack([np.arange(478), np.zeros(478)], axis=1).astype(np.float32)
    points = official_points(mesh)[:, 0]
    assert points.shape == (203,)
    assert points[[0, 6, 12, 18]].tolist() == [33, 159, 133, 145]  # picture's left eye
    assert points[[24, 30, 36, 42]].tolist() == [362, 386, 263, 374]
    assert points[[48, 66]].tolist() == [61, 291]  # corners of the mouth
    assert points[[90, 102]].tolist() == [13, 14]  # inner lips


def test_the_point_set_spans_brows_to_chin(faces: list[AnalysedFace]) -> None:
    for face in faces:
        eyes, mouth = face_axis(face.crop_points)
        brows, chin = face.crop_points[:, 1].min(), face.crop_points[:, 1].max()
        to_mouth = mouth[1] - eyes[1]
        assert 0.2 * to_mouth < eyes[1] - brows < 0.8 * to_mouth  # brows, no forehead
        assert 0.4 * to_mouth < chin - mouth[1] < 1.3 * to_mouth


def test_the_crop_shows_the_face_as_the_official_crop_does(faces: list[AnalysedFace]) -> None:
    for index, face in enumerate(faces):
        crop = crop_image(avatar(index), face.crop_points)
        assert crop.landmarks_crop is not None
        eyes, mouth = face_axis(crop.landmarks_crop)
        # upright, centred, eyes at about half of the height
        assert abs(mouth[0] - eyes[0]) < 0.5
        assert abs(eyes[0] - 256) < 30  # heads are turned a little
        assert 225 < eyes[1] < 280
        assert 325 < mouth[1] < 380
        span = np.ptp(crop.landmarks_crop, axis=0).max()
        assert span == pytest.approx(512 / 2.3, abs=0.5)


def test_openness_of_eyes_and_lips_is_in_the_official_range(faces: list[AnalysedFace]) -> None:
    landmarks = np.stack([face.ratio_points for face in faces])
    assert (eye_ratios(landmarks) > 0.15).all()
    assert (eye_ratios(landmarks) < 0.5).all()
    assert (lip_ratios(landmarks) < 0.4).all()
    assert lip_ratios(landmarks).min() < 0.02  # some mouths are shut


def test_a_turned_photograph_gives_the_same_crop(analyser: MediaPipeAnalyser) -> None:
    import cv2

    photo = avatar(5)
    side = photo.shape[0]
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), 25, 1.0)
    turned = np.asarray(cv2.warpAffine(photo, turn, (side, side)), np.uint8)
    face, other = analyser.find_one(photo), analyser.find_one(turned)
    box = face_box(face.crop_points, scale=2.3, vy_ratio=-0.125)
    again = face_box(other.crop_points, scale=2.3, vy_ratio=-0.125)
    assert np.degrees(again.angle - box.angle) == pytest.approx(-25, abs=3)
    assert again.size == pytest.approx(box.size, rel=0.05)


def test_the_largest_of_several_faces_is_taken(analyser: MediaPipeAnalyser) -> None:
    import cv2

    two = np.full((768, 1200, 3), 128, np.uint8)
    two[200:500, :300] = cv2.resize(avatar(0), (300, 300))
    two[:, 432:] = cv2.resize(avatar(5), (768, 768))
    found = analyser.find(two)
    assert len(found) == 2
    assert found[0].area_px > found[1].area_px
    assert found[0].box[0] > 432
    small = found[1]
    assert analyser.find_one(two) is not small
    with pytest.raises(SeveralFacesError, match=r"2 faces .* two\.png"):
        the_face(found, "two.png", allow_several=False)
    tracked = analyser.track(two, small)
    assert tracked is not None
    assert tracked.box == pytest.approx(small.box, abs=3)  # follows its own, not the largest
    largest = analyser.track(two, None)
    assert largest is not None
    assert largest.box[0] > 432


def test_another_person_far_away_is_not_the_tracked_face(analyser: MediaPipeAnalyser) -> None:
    face = analyser.find_one(avatar(0))
    left, top, right, bottom = face.box
    far = AnalysedFace(
        face.crop_points, face.ratio_points + 2 * (right - left), (left, top, right, bottom)
    )
    assert analyser.track(avatar(0), face) is not None
    assert analyser.track(avatar(0), far) is None


def test_a_picture_without_a_face_is_named(analyser: MediaPipeAnalyser) -> None:
    empty = np.full((200, 200, 3), 90, np.uint8)
    assert analyser.find(empty) == []
    assert analyser.track(empty, None) is None
    with pytest.raises(NoFaceError, match=r"wall\.jpg"):
        analyser.find_one(empty, "wall.jpg")


# the official finder ---------------------------------------------------------------------------


def nobody(_: Image) -> tuple[FloatArray, FloatArray]:
    return np.zeros((0, 4), np.float32), np.zeros((0, 106, 2), np.float32)


def shares() -> FloatArray:
    return np.random.default_rng(3).uniform(0.2, 0.8, (1, 406)).astype(np.float32)


def test_203_points_are_mapped_back_into_the_photograph() -> None:
    photo = golden_image("photo_480x360")
    around = np.random.default_rng(1).uniform((150, 60), (330, 250), (106, 2)).astype(np.float32)
    seen: list[FloatArray] = []

    def network(pixels: FloatArray) -> AnyArray:
        seen.append(pixels)
        return shares()

    analyser = InsightFaceAnalyser(nobody, network)
    points = analyser.landmarks(photo, around)
    crop = crop_image(photo, around, LANDMARK_INPUT)
    assert seen[0].shape == (1, 3, 224, 224)
    assert seen[0].dtype == np.float32
    np.testing.assert_allclose(seen[0][0].transpose(1, 2, 0) * 255, crop.image, atol=1e-3)
    in_crop = points @ crop.to_crop[:2, :2].T + crop.to_crop[:2, 2]
    np.testing.assert_allclose(in_crop, shares().reshape(203, 2) * 224, atol=2e-2)


def test_faces_are_sorted_by_area_and_the_finder_gets_bgr() -> None:
    photo = np.zeros((100, 100, 3), np.uint8)
    photo[..., 0] = 200  # red
    rng = np.random.default_rng(2)
    points = rng.uniform(20, 80, (2, 106, 2)).astype(np.float32)

    def finder(bgr: Image) -> tuple[FloatArray, FloatArray]:
        assert bgr[0, 0].tolist() == [0, 0, 200]
        assert bgr.flags.c_contiguous
        return np.array([[0, 0, 10, 10], [0, 0, 50, 50]], np.float32), points

    found = InsightFaceAnalyser(finder, lambda _: shares()).find(photo)
    assert [face.area_px for face in found] == [2500, 100]
    np.testing.assert_array_equal(found[0].crop_points, points[1])
    assert found[0].ratio_points.shape == (203, 2)


def test_tracking_goes_on_from_the_last_points_until_they_are_no_face() -> None:
    photo = golden_image("photo_480x360")
    points = np.random.default_rng(1).uniform((150, 60), (330, 250), (203, 2)).astype(np.float32)
    last = AnalysedFace(points, points, (150, 60, 330, 250))
    answers = iter([shares(), np.full((1, 406), 0.5, np.float32), np.full((1, 406), np.nan)])
    analyser = InsightFaceAnalyser(nobody, lambda _: next(answers))
    face = analyser.track(photo, last)
    assert face is not None
    assert face.crop_points is face.ratio_points
    assert analyser.track(photo, last) is None  # all in one point
    assert analyser.track(photo, last) is None  # no numbers
    assert analyser.track(photo, None) is None  # nothing found


def test_a_network_of_other_points_is_refused() -> None:
    analyser = InsightFaceAnalyser(nobody, lambda _: np.zeros((1, 212)))
    points = np.random.default_rng(1).uniform(0, 200, (106, 2)).astype(np.float32)
    with pytest.raises(WeightsError, match="406"):
        analyser.landmarks(golden_image("photo_480x360"), points)


def save_constant_model(
    path: Path, size: tuple[int | str, int | str], outputs: list[FloatArray]
) -> None:
    """An ONNX model [1, 3, *size] that gives the same arrays whatever it sees."""
    onnx = pytest.importorskip("onnx")
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT
    nodes, names = [], []
    for index, array in enumerate(outputs):
        value = onnx.numpy_helper.from_array(array.astype(np.float32), f"value{index}")
        nodes.append(helper.make_node("Constant", [], [f"out{index}"], value=value))
        names.append(helper.make_tensor_value_info(f"out{index}", floats, array.shape))
    pixels = helper.make_tensor_value_info("input", floats, [1, 3, *size])
    model = helper.make_model(
        helper.make_graph(nodes, "constant", [pixels], names),
        opset_imports=[helper.make_opsetid("", 13)],
        ir_version=8,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(path))


@pytest.fixture
def stand_ins(tmp_path: Path) -> Path:
    """Files of the official names and interfaces, whose answers are constants.

    The detector is sure by 0.2 of a box of 8 steps around the middle of a 512 px picture.
    """
    anchors = [2 * (512 // step) ** 2 for step in (8, 16, 32)]
    scores = [np.zeros((count, 1), np.float32) for count in anchors]
    scores[2][2 * (8 * 16 + 8)] = 0.2
    boxes = [np.full((count, 4), 4, np.float32) for count in anchors]
    keypoints = [np.zeros((count, 10), np.float32) for count in anchors]
    save_constant_model(tmp_path / DETECTOR, ("height", "width"), [*scores, *boxes, *keypoints])
    grid = np.random.default_rng(5).uniform(-0.4, 0.4, (1, 212)).astype(np.float32)
    save_constant_model(tmp_path / POINTS_106, (192, 192), [grid])
    blank = np.zeros((1, 4), np.float32)
    save_constant_model(tmp_path / POINTS_203, (224, 224), [blank, blank, shares()])
    write_manifest(tmp_path)
    return tmp_path


def write_manifest(folder: Path) -> None:
    """A manifest of the folder's files as they are."""
    files = {
        file.as_posix(): {
            "bytes": (folder / file).stat().st_size,
            "sha256": sha256_of(folder / file),
            "url": "https://example.invalid/",
        }
        for file in (DETECTOR, POINTS_106, POINTS_203)
    }
    entry = {"path": "x", "licence": "-", "source": "-", "about": "-", "files": files}
    (folder / "manifest.yaml").write_text(yaml.safe_dump({"weights": {"finder": entry}}))


def test_the_official_finder_is_chosen_where_its_files_are(stand_ins: Path) -> None:
    analyser = choose_analyser(stand_ins)
    assert isinstance(analyser, InsightFaceAnalyser)
    photo = np.random.default_rng(0).integers(0, 255, (512, 512, 3)).astype(np.uint8)
    (face,) = analyser.find(photo)  # 0.2 is over the official threshold, under insightface's own
    np.testing.assert_allclose(face.box, (128, 128, 384, 384), atol=1)
    assert face.crop_points.shape == (106, 2)
    assert ((face.crop_points > 128) & (face.crop_points < 384)).all()
    crop = crop_image(photo, face.crop_points, LANDMARK_INPUT)
    back = face.ratio_points @ crop.to_crop[:2, :2].T + crop.to_crop[:2, 2]
    np.testing.assert_allclose(back, shares().reshape(203, 2) * 224, atol=2e-2)


@pytest.mark.parametrize("file", [DETECTOR, POINTS_106, POINTS_203])
def test_a_file_that_is_no_such_model_is_an_error(stand_ins: Path, file: Path) -> None:
    (stand_ins / file).write_bytes(b"no model")
    with pytest.raises(ChecksumError, match=file.name):
        choose_analyser(stand_ins)
    write_manifest(stand_ins)  # as if the manifest were wrong, too
    with pytest.raises(WeightsError, match="cannot be loaded"):
        choose_analyser(stand_ins)


def test_without_its_files_mediapipe_is_chosen(tmp_path: Path) -> None:
    (tmp_path / "face_landmarker.task").symlink_to(WEIGHTS_DIR / "face_landmarker.task")
    assert isinstance(choose_analyser(tmp_path), MediaPipeAnalyser)
    with pytest.raises(MissingWeightsError, match=r"det_10g\.onnx.*models fetch insightface"):
        InsightFaceAnalyser.load(tmp_path)
    (tmp_path / "face_landmarker.task").unlink()
    with pytest.raises(MissingWeightsError, match=r"face_landmarker\.task"):
        choose_analyser(tmp_path)


@pytest.mark.weights
def test_the_real_files_find_the_shipped_portraits(faces: list[AnalysedFace]) -> None:
    if not InsightFaceAnalyser.available(WEIGHTS_DIR):
        pytest.skip("det_10g.onnx, 2d106det.onnx or landmark.onnx is not in weights/")
    official = InsightFaceAnalyser.load(WEIGHTS_DIR)
    for index, ours in enumerate(faces):
        face = official.find_one(avatar(index))
        box = face_box(face.crop_points, scale=2.3, vy_ratio=-0.125)
        mine = face_box(ours.crop_points, scale=2.3, vy_ratio=-0.125)
        assert mine.size == pytest.approx(box.size, rel=0.1)
        assert np.linalg.norm(mine.center - box.center) < 0.06 * box.size
        assert abs(mine.angle - box.angle) < 0.06
