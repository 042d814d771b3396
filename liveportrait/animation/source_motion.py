"""What is animated, and the keypoints that come of it."""

from dataclasses import dataclass

from liveportrait.animation.keypoints import KeypointInfo
from liveportrait.animation.ratios import FACE_POINTS
from models.shapes import FloatArray


@dataclass(frozen=True, slots=True)
class SourceMotion:
    """What is animated: a photograph (one frame) or a video (several), and its landmarks.

    ``landmarks`` [T, 203, 2], any unit: needed only by the options that look at the source's eyes
    and lips. Raises ValueError when the numbers of frames differ or there are no frames.
    """

    info: KeypointInfo
    landmarks: FloatArray | None = None

    def __post_init__(self) -> None:
        if not len(self.info):
            raise ValueError("a source has at least one frame")
        wanted = (len(self.info), FACE_POINTS, 2)
        if self.landmarks is not None and self.landmarks.shape != wanted:
            raise ValueError(f"source.landmarks has shape {self.landmarks.shape}, not {wanted}")

    def __len__(self) -> int:
        return len(self.info)

    def __getitem__(self, frames: slice) -> "SourceMotion":
        landmarks = None if self.landmarks is None else self.landmarks[frames]
        return SourceMotion(self.info[frames], landmarks)

    @property
    def is_video(self) -> bool:
        return len(self.info) > 1


@dataclass(frozen=True, slots=True)
class DrivenKeypoints:
    """What the warping network takes: source and driving keypoints, both [T, K, 3]."""

    x_s: FloatArray
    x_d: FloatArray

    def __len__(self) -> int:
        return len(self.x_d)
