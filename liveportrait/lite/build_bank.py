"""Make the mouth bank from faces of people who do not exist.

The faces come from the generator inside the PyPI package ``random-face`` (Apache-2.0; a small
StyleGAN, see arXiv 2104.04767), read here as its two OpenVINO networks. A direction in its style
space that opens the mouth is fitted on a few hundred of its own faces; chosen faces are turned to
the camera, opened along it, and cut into layers.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from liveportrait.lite.mouth_bank import MouthLayers, save_mouth_bank
from liveportrait.lite.mouth_cut import cut_mouth
from models.errors import MissingWeightsError
from models.face_keypoints import landmarks_to_motion, lip_gap, lip_width
from models.face_landmarks import FaceDetector
from models.shapes import FloatArray, Image

STYLES = 2000
MEASURED = 240
TRUNCATION = 0.75
SEED = 7
LIP_GAP = 0.37  # over the eye distance: wide enough to show both rows of teeth
# looked at by a person, one by one: adults, even teeth, nothing torn
CHOSEN = (25, 22, 7, 32, 5)
_RIDGE = 30.0


@dataclass(frozen=True, slots=True)
class MouthDirections:
    """How style [512] moves (lip gap, lip width, yaw / 30, pitch / 30), and the other way round."""

    mean_style: FloatArray  # [512]
    effect: FloatArray  # [512, 4]
    cause: FloatArray  # [512, 4] least style change for one unit of each, the others unchanged


class FaceGenerator:
    """The two networks of ``random-face``. Raises MissingWeightsError when it is not installed."""

    def __init__(self, folder: Path | None = None) -> None:
        import openvino

        folder = folder or _installed_networks()
        core = openvino.Core()
        exact = {"INFERENCE_PRECISION_HINT": "f32"}
        self._mapping: Any = core.compile_model(folder / "MappingNetwork.xml", "CPU", exact)
        self._synthesis: Any = core.compile_model(folder / "SynthesisNetwork.xml", "CPU", exact)

    def styles(self, count: int, seed: int) -> FloatArray:
        """Random styles [count, 512]."""
        noise = np.random.default_rng(seed).normal(size=(count, 512)).astype(np.float32)
        return np.stack([self._mapping(z[None])[0][0] for z in noise])

    def face(self, style: FloatArray) -> Image:
        """The face of a style [512]: RGB [1024, 1024, 3]."""
        picture = self._synthesis(style[None].astype(np.float32))[0][0]
        pixels = (picture.transpose(1, 2, 0) + 1.0) * 127.5 + 0.5
        return np.ascontiguousarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _installed_networks() -> Path:
    spec = find_spec("random_face")
    if spec is None or not spec.submodule_search_locations:
        raise MissingWeightsError(
            "the face generator is missing; `pip install --no-deps random-face==2021.7.21.1` "
            "brings it, or --generator names the folder with its two networks"
        )
    return Path(spec.submodule_search_locations[0]) / "data"


def _measures(meshes: FloatArray) -> FloatArray:
    """[n, 4]: lip gap, lip width, yaw / 30, pitch / 30 of meshes [n, L, 3]."""
    poses = [landmarks_to_motion(mesh[None])[0] for mesh in meshes]
    yaw, pitch = (np.array([getattr(p, name)[0] for p in poses]) for name in ("yaw", "pitch"))
    return np.stack([lip_gap(meshes), lip_width(meshes), yaw / 30, pitch / 30], 1)


def fit_directions(
    generator: FaceGenerator, detector: FaceDetector
) -> tuple[MouthDirections, FloatArray]:
    """Measure faces, fit directions; also the measured styles [n, 512], widest open mouth first."""
    from tqdm import trange

    drawn = generator.styles(STYLES, SEED)
    mean = drawn.mean(0)
    styles, meshes = [], []
    for index in trange(MEASURED, desc="measuring faces"):
        style = mean + TRUNCATION * (drawn[index] - mean)
        faces = detector.detect(generator.face(style))
        if faces:
            styles.append(style)
            meshes.append(faces[0].points)
    x, y = np.stack(styles) - mean, _measures(np.stack(meshes))
    effect = np.linalg.solve(x.T @ x + _RIDGE * np.eye(x.shape[1]), x.T @ (y - y.mean(0)))
    cause = np.linalg.pinv(effect).T.astype(np.float32)
    directions = MouthDirections(mean, effect.astype(np.float32), cause)
    return directions, np.stack(styles)[np.argsort(-y[:, 0], kind="stable")]


def open_mouth(
    generator: FaceGenerator, detector: FaceDetector, directions: MouthDirections, style: FloatArray
) -> tuple[Image, FloatArray] | None:
    """Turn a face to the camera and open its mouth to LIP_GAP: (picture, mesh [L, 3]), or None
    when the detector loses the face on the way."""
    for _ in range(5):
        picture = generator.face(style)
        faces = detector.detect(picture)
        if not faces:
            return None
        mesh = faces[0].points
        gap, _, yaw, pitch = _measures(mesh[None])[0]
        if abs(gap - LIP_GAP) < 0.015 and abs(yaw) < 0.15:
            break
        change = np.array([LIP_GAP - gap, 0.0, -yaw, -0.5 * pitch])
        style = style + 0.8 * directions.cause @ change
    return picture, mesh


def build_mouth_bank(
    out: Path, detector: FaceDetector, generator: FaceGenerator, sheet: Path | None = None
) -> int:
    """Write the bank of the CHOSEN people; ``sheet``: also a picture of their faces to look at.

    Returns how many mouths it holds.
    """
    import cv2

    directions, styles = fit_directions(generator, detector)
    mouths: list[MouthLayers] = []
    faces: list[Image] = []
    for rank in CHOSEN:
        opened = open_mouth(generator, detector, directions, styles[rank])
        if opened is None:
            continue
        picture, mesh = opened
        mouths.append(cut_mouth(picture, mesh, landmarks_to_motion(mesh[None])[1]))
        faces.append(cv2.resize(picture, (384, 384), interpolation=cv2.INTER_AREA))
    save_mouth_bank(mouths, out)
    if sheet is not None:
        cv2.imwrite(str(sheet), np.hstack(faces)[..., ::-1])
    return len(mouths)
