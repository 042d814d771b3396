"""Which pixels of a photograph show a person: MediaPipe's selfie segmentation."""

import atexit
import functools
from pathlib import Path
from typing import Any

import numpy as np

from models.errors import MissingWeightsError
from models.shapes import FloatArray, Image

SEGMENTATION_FILE = "selfie_segmentation.tflite"


class PersonSegmenter:
    """The network sees every picture as 256 x 256 pixels. Raises MissingWeightsError."""

    def __init__(self, weights: Path) -> None:
        self._task = weights / SEGMENTATION_FILE
        if not self._task.is_file():
            raise MissingWeightsError(f"{self._task} is missing; the repository holds it")

    def __call__(self, rgb: Image) -> FloatArray:
        """[H, W, 3] -> how surely each pixel is a person's, 0..1 [H, W]."""
        import mediapipe

        picture = mediapipe.Image(
            image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(rgb)
        )
        (mask,) = _segmenter(self._task).segment(picture).confidence_masks
        return np.array(mask.numpy_view(), np.float32).reshape(rgb.shape[:2])


@functools.cache
def _segmenter(task: Path) -> Any:
    """One per process, never freed: see ``models.face_landmarks._landmarker``."""
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.ImageSegmenterOptions(
        base_options=BaseOptions(model_asset_buffer=task.read_bytes()),
        output_confidence_masks=True,
        output_category_mask=False,
    )
    segmenter = vision.ImageSegmenter.create_from_options(options)
    atexit.register(vars(segmenter).update, _handle=None)
    return segmenter
