"""Hard cuts in a stream of pictures, by PySceneDetect's content detector."""

import numpy as np

from models.shapes import Image
from models.timing import FPS

_SEEN_PX = 160  # longer side of what the detector looks at: a cut is seen in a small picture


class CutDetector:
    """Says of each picture whether the camera changed before it.

    Source: ``ContentDetector`` of PySceneDetect (BSD-3-Clause): the mean difference of hue,
    saturation and brightness from one picture to the next, against a threshold.
    """

    def __init__(self, threshold: float) -> None:
        from scenedetect.detectors import ContentDetector

        self._detector = ContentDetector(threshold=threshold, min_scene_len=0)
        self._frame = 0

    def is_cut(self, picture: Image) -> bool:
        """``picture``: the next one [H, W, 3]. The first one follows no cut."""
        import cv2
        from scenedetect import FrameTimecode

        height, width = picture.shape[:2]
        share = min(1.0, _SEEN_PX / max(height, width))
        size = (max(1, round(width * share)), max(1, round(height * share)))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        time = FrameTimecode(self._frame, float(FPS))
        self._frame += 1
        bgr = np.ascontiguousarray(small[..., ::-1])
        return bool(self._detector.process_frame(time, bgr))
