"""The linear map that spreads the motion of 21 keypoints over the whole 478-point face mesh."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.errors import MissingWeightsError, WeightsError
from models.shapes import KEYPOINTS, LANDMARKS, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class KeypointMap:
    """``mesh offset = keypoint offset @ matrix``, both along the head's axes in canonical units."""

    matrix: FloatArray  # [K * 3, L * 3]
    triangles: IntArray  # [852, 3], MediaPipe's tessellation
    eye_gap: float  # the usual lid gap of the people it was fitted on, canonical units
    mouth_width: float  # the usual distance of their mouth corners, lips at rest

    def spread(self, offsets: FloatArray) -> FloatArray:
        """Keypoint offsets [T, K, 3] -> mesh offsets [T, L, 3]."""
        flat = offsets.reshape(len(offsets), KEYPOINTS * 3) @ self.matrix
        return flat.reshape(len(offsets), LANDMARKS, 3)


def fit_keypoint_map(
    keypoints: FloatArray, meshes: FloatArray, people: IntArray, ridge: float = 1.0
) -> FloatArray:
    """Ridge regression without bias, on offsets from each person's mean.

    keypoints: [T, K, 3]; meshes: [T, L, 3]; people: [T], who each frame shows -> [K * 3, L * 3].
    """
    x = keypoints.reshape(len(keypoints), -1).astype(np.float64)
    y = meshes.reshape(len(meshes), -1).astype(np.float64)
    for person in np.unique(people):
        of_person = people == person
        x[of_person] -= x[of_person].mean(0)
        y[of_person] -= y[of_person].mean(0)
    gram = x.T @ x + ridge * len(x) / 1000 * np.eye(x.shape[1])
    matrix: FloatArray = np.linalg.solve(gram, x.T @ y).astype(np.float32)
    return matrix


def save_keypoint_map(keypoint_map: KeypointMap, path: Path) -> None:
    """Write it as safetensors; the matrix in half precision (its error is below 0.01 units)."""
    from safetensors.numpy import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {
        "matrix": keypoint_map.matrix.astype(np.float16),
        "triangles": keypoint_map.triangles.astype(np.int16),
        "usual": np.array([keypoint_map.eye_gap, keypoint_map.mouth_width], np.float32),
    }
    save_file(tensors, path)
    path.chmod(0o644)


def load_keypoint_map(path: Path) -> KeypointMap:
    """Raises MissingWeightsError without the file, WeightsError on other contents."""
    from safetensors.numpy import load_file

    if not path.is_file():
        raise MissingWeightsError(
            f"{path} is missing; it belongs to the repository, "
            "`python -m liveportrait fit-keypoint-map` makes it anew"
        )
    try:
        tensors = load_file(path)
        matrix = tensors["matrix"].astype(np.float32)
        triangles = tensors["triangles"].astype(np.int64)
        eye_gap, mouth_width = (float(value) for value in tensors["usual"])
    except Exception as error:  # safetensors raises its own type, a missing tensor is a KeyError
        raise WeightsError(f"{path} is no keypoint map: {error}") from error
    if matrix.shape != (KEYPOINTS * 3, LANDMARKS * 3):
        raise WeightsError(f"{path}: the matrix is {matrix.shape}, not (63, 1434)")
    return KeypointMap(matrix, triangles, eye_gap, mouth_width)
