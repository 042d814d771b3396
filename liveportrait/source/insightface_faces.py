"""The official face finder: SCRFD and 106 points of insightface, then 203 points.

Source: ``face_analysis_diy.py``, ``human_landmark_runner.py`` in ``src/utils`` of the official
implementation. Everything is read from local files; nothing is fetched.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import numpy as np

from liveportrait.source.crop import LANDMARK_INPUT, crop_image, transform_points
from liveportrait.source.faces import AnalysedFace, FaceAnalyser
from models.errors import WeightsError
from models.shapes import AnyArray, FloatArray, Image
from models.weights import MANIFEST_NAME, WEIGHTS_DIR, load_manifest, verify_file

DETECTOR = Path("insightface/models/buffalo_l/det_10g.onnx")
POINTS_106 = Path("insightface/models/buffalo_l/2d106det.onnx")
POINTS_203 = Path("liveportrait/landmark.onnx")
_FILES = (DETECTOR, POINTS_106, POINTS_203)
DETECTION_THRESHOLD = 0.15
_DETECTION_PX = 512
_OUTPUT_203 = 2  # the third output of the landmark network
_FACE_POINTS = 203
_MIN_SIDE_PX = 4.0  # a box that has shrunk to this is no face

# [H, W, 3] BGR -> boxes [n, 4] (left, top, right, bottom) and points [n, 106, 2], pixels
FaceFinder = Callable[[Image], tuple[FloatArray, FloatArray]]
# float32 [1, 3, 224, 224] RGB 0..1 -> [1, 406] in shares of the picture
LandmarkNetwork = Callable[[FloatArray], AnyArray]


class InsightFaceAnalyser(FaceAnalyser):
    """See FaceAnalyser."""

    name = "insightface"

    def __init__(self, finder: FaceFinder, network: LandmarkNetwork) -> None:
        self._finder = finder
        self._network = network

    @staticmethod
    def available(weights: Path = WEIGHTS_DIR) -> bool:
        """Whether all three files are there."""
        return all((weights / file).is_file() for file in _FILES)

    @classmethod
    def load(cls, weights: Path = WEIGHTS_DIR) -> Self:
        """On the CPU. The folder's own manifest is used, or this repository's when it has none.

        Raises MissingWeightsError, ChecksumError when a file has other bytes than the manifest's,
        and WeightsError when it is no such model.
        """
        _verify(weights)
        try:
            finder = _insightface_finder(weights)
            network = _onnx_network(weights / POINTS_203)
        except Exception as error:  # onnxruntime and onnx raise their own, without a common base
            raise WeightsError(f"a file of the face finder cannot be loaded: {error}") from error
        return cls(finder, network)

    def find(self, image: Image) -> list[AnalysedFace]:
        """See FaceAnalyser."""
        boxes, points = self._finder(np.ascontiguousarray(image[..., ::-1]))
        faces = [
            AnalysedFace(
                np.asarray(face, np.float32),
                self.landmarks(image, face),
                (float(box[0]), float(box[1]), float(box[2]), float(box[3])),
            )
            for box, face in zip(boxes, points, strict=True)
        ]
        return sorted(faces, key=lambda face: -face.area_px)

    def track(self, image: Image, last: AnalysedFace | None) -> AnalysedFace | None:
        """See FaceAnalyser: the landmark network around the last landmarks, as the official tool.

        The network always answers; None is for an answer that is no face's.
        """
        if last is None:
            return next(iter(self.find(image)), None)
        points = self.landmarks(image, last.ratio_points)
        low, high = points.min(0), points.max(0)
        seen = bool(np.isfinite(points).all()) and bool((high - low).min() >= _MIN_SIDE_PX)
        inside = bool((high > 0).all()) and bool((low < image.shape[1::-1]).all())
        if not (seen and inside):
            return None
        return AnalysedFace(
            points, points, (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
        )

    def landmarks(self, image: Image, around: AnyArray) -> FloatArray:
        """203 points [203, 2] of the face that has the points ``around`` [n, 2], RGB pixels.

        Raises WeightsError when the network gives another number of points.
        """
        crop = crop_image(image, around, LANDMARK_INPUT)
        pixels = crop.image.astype(np.float32) / np.float32(255)
        shares = np.asarray(self._network(pixels.transpose(2, 0, 1)[None]), np.float32)
        if shares.size != 2 * _FACE_POINTS:
            raise WeightsError(
                f"the landmark network gives {shares.shape}, not [1, {2 * _FACE_POINTS}]"
            )
        return transform_points(shares.reshape(-1, 2) * LANDMARK_INPUT.size_px, crop.to_photo)


def _verify(weights: Path) -> None:
    root = weights if (weights / MANIFEST_NAME).is_file() else WEIGHTS_DIR
    listed = {f.file: (entry, f) for entry in load_manifest(root).values() for f in entry.files}
    for path in _FILES:
        if path.as_posix() not in listed:
            raise WeightsError(f"{root / MANIFEST_NAME} does not list {path}")
        entry, file = listed[path.as_posix()]
        verify_file(entry, file, weights)


def _insightface_finder(weights: Path) -> FaceFinder:
    from insightface.app.common import Face
    from insightface.model_zoo import model_zoo

    cpu = ["CPUExecutionProvider"]
    detector: Any = model_zoo.get_model(str(weights / DETECTOR), providers=cpu)
    points: Any = model_zoo.get_model(str(weights / POINTS_106), providers=cpu)
    for model, task in ((detector, "detection"), (points, "landmark_2d_106")):
        if getattr(model, "taskname", None) != task:
            raise ValueError(f"a model for {task} was expected")
    size = (_DETECTION_PX, _DETECTION_PX)
    detector.prepare(-1, input_size=size, det_thresh=DETECTION_THRESHOLD)
    points.prepare(-1)

    def find(bgr: Image) -> tuple[FloatArray, FloatArray]:
        found, _ = detector.detect(bgr, max_num=0, metric="default")
        boxes = np.asarray(found, np.float32)[:, :4]
        sets = [points.get(bgr, Face(bbox=box)) for box in boxes]
        return boxes, np.asarray(sets, np.float32).reshape(-1, 106, 2)

    return find


def _onnx_network(path: Path) -> LandmarkNetwork:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    session: Any = onnxruntime.InferenceSession(
        str(path), sess_options=options, providers=["CPUExecutionProvider"]
    )
    if len(session.get_outputs()) <= _OUTPUT_203:
        raise ValueError(f"{path} is not the landmark network: it has too few outputs")
    name = session.get_inputs()[0].name

    def run(pixels: FloatArray) -> AnyArray:
        answers: list[AnyArray] = session.run(None, {name: pixels})
        return answers[_OUTPUT_203]

    return run
