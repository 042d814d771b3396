"""Faces of a picture in the form the crop and the openness ratios take, from either finder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from models.errors import NoFaceError, SeveralFacesError
from models.shapes import FloatArray, Image
from models.weights import WEIGHTS_DIR


@dataclass(frozen=True, slots=True)
class AnalysedFace:
    """One face, pixels of the picture it was found in.

    ``crop_points`` [n, 2]: what the crop box of a photograph is laid around (a set that
    ``crop_box`` knows); ``ratio_points`` [203, 2]: the order of the official landmark network, for
    the crop boxes of videos and for the openness of eyes and lips; ``box``: left, top, right,
    bottom.
    """

    crop_points: FloatArray
    ratio_points: FloatArray
    box: tuple[float, float, float, float]

    @property
    def area_px(self) -> float:
        """Of the box."""
        left, top, right, bottom = self.box
        return (right - left) * (bottom - top)


class FaceAnalyser(Protocol):
    """Finds faces, and follows one through a video. One thread at a time."""

    name: str

    def find(self, image: Image) -> list[AnalysedFace]:
        """All faces of [H, W, 3] RGB, the largest first; an empty list when there is none.

        As thorough as a photograph of unknown origin needs it.
        """
        ...

    def find_one(self, image: Image, where: str = "the picture") -> AnalysedFace:
        """The largest face. ``where`` names the picture in the error. Raises NoFaceError."""
        return the_face(self.find(image), where)

    def track(self, image: Image, last: AnalysedFace | None) -> AnalysedFace | None:
        """The previous frame's face in this one, or the largest where there was none before.

        As quick as a video needs it. None when no such face is seen.
        """
        ...


def choose_analyser(weights: Path = WEIGHTS_DIR) -> FaceAnalyser:
    """The official finder where all of its files are, else MediaPipe's.

    Raises MissingWeightsError when MediaPipe's file is not there either.
    """
    from liveportrait.source.insightface_faces import InsightFaceAnalyser
    from liveportrait.source.mediapipe_faces import MediaPipeAnalyser

    if InsightFaceAnalyser.available(weights):
        return InsightFaceAnalyser.load(weights)
    return MediaPipeAnalyser.load(weights)


def the_face(faces: list[AnalysedFace], where: str, *, allow_several: bool = True) -> AnalysedFace:
    """The largest face, as the official tool takes it. ``where`` names the picture in errors.

    Raises NoFaceError, and SeveralFacesError unless ``allow_several``.
    """
    if not faces:
        raise NoFaceError(
            f"no face was found in {where}; a face seen from the front, at least a tenth of the "
            "picture high, is found best"
        )
    if len(faces) > 1 and not allow_several:
        raise SeveralFacesError(f"{len(faces)} faces were found in {where}; accepted is one")
    return max(faces, key=lambda face: face.area_px)
