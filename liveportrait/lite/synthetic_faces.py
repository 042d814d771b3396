"""Faces of people who do not exist, with mouths that open, spread and round.

They come from the generator inside the PyPI package ``random-face`` (Apache-2.0; a small StyleGAN,
see arXiv 2104.04767), read here as its two OpenVINO networks. Directions in its style space that
move the mouth and turn the head are fitted on a few hundred of its own faces.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from models.errors import MissingWeightsError
from models.face_keypoints import landmarks_to_motion, lip_gap, lip_width
from models.face_landmarks import FaceDetector
from models.shapes import AnyArray, FloatArray, Image

STYLES = 2000
MEASURED = 400
TRUNCATION = 0.75
SEED = 7
PICTURE_PX = 512  # of the pictures kept of a person
_RIDGE = 30.0
_STRAIGHT = 0.15  # yaw / 30 below which a head looks at the camera
# lip gap over the eye distance; lip width over it, more than the person's own: speech and smiles
EXPRESSIONS = (
    (0.0, 0.0),
    (0.06, 0.0),
    (0.16, 0.0),
    (0.36, 0.0),
    (0.02, 0.10),
    (0.14, 0.10),
    (0.10, -0.08),
    (0.22, -0.06),
)


class FaceSource(Protocol):
    """What draws faces."""

    def styles(self, count: int, seed: int) -> FloatArray:
        """Random styles [count, D]."""
        ...

    def face(self, style: FloatArray) -> Image:
        """The face of a style [D]: RGB."""
        ...


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
        """See ``FaceSource.styles``; D == 512."""
        noise = np.random.default_rng(seed).normal(size=(count, 512)).astype(np.float32)
        return np.stack([self._mapping(z[None])[0][0] for z in noise])

    def face(self, style: FloatArray) -> Image:
        """See ``FaceSource.face``: [1024, 1024, 3]."""
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


@dataclass(frozen=True, slots=True)
class MouthDirections:
    """How style [D] moves (lip gap, lip width, yaw / 30, pitch / 30), and the other way round."""

    mean_style: FloatArray  # [D]
    effect: FloatArray  # [D, 4]
    cause: FloatArray  # [D, 4] least style change for one unit of each, the others unchanged


def measure_mouths(meshes: FloatArray) -> FloatArray:
    """[n, 4]: lip gap, lip width, yaw / 30, pitch / 30 of meshes [n, L, 3]."""
    poses = [landmarks_to_motion(mesh[None])[0] for mesh in meshes]
    yaw, pitch = (np.array([getattr(p, name)[0] for p in poses]) for name in ("yaw", "pitch"))
    return np.stack([lip_gap(meshes), lip_width(meshes), yaw / 30, pitch / 30], 1)


def fit_directions(
    generator: FaceSource, detector: FaceDetector, measured: int = MEASURED
) -> tuple[MouthDirections, FloatArray]:
    """Measure faces, fit directions (ridge regression); also the measured styles [n, D], widest
    open mouth first."""
    from tqdm import trange

    drawn = generator.styles(STYLES, SEED)
    mean = drawn.mean(0)
    styles, meshes = [], []
    for index in trange(measured, desc="measuring faces"):
        style = mean + TRUNCATION * (drawn[index] - mean)
        faces = detector.detect(generator.face(style))
        if faces:
            styles.append(style)
            meshes.append(faces[0].points)
    x, y = np.stack(styles) - mean, measure_mouths(np.stack(meshes))
    effect = np.linalg.solve(x.T @ x + _RIDGE * np.eye(x.shape[1]), x.T @ (y - y.mean(0)))
    cause = np.linalg.pinv(effect).T.astype(np.float32)
    directions = MouthDirections(mean, effect.astype(np.float32), cause)
    return directions, np.stack(styles)[np.argsort(-y[:, 0], kind="stable")]


def pose_mouth(
    generator: FaceSource,
    detector: FaceDetector,
    directions: MouthDirections,
    style: FloatArray,
    gap: float,
    wider: float | None = None,
) -> tuple[Image, FloatArray, FloatArray] | None:
    """Turn a face to the camera and bring its mouth to ``gap`` and, where given, ``wider`` than
    it is: (picture, mesh [L, 3], style), or None when the detector loses the face on the way."""
    wanted = np.array([gap, 0.0, 0.0, 0.0])
    for attempt in range(5):
        picture = generator.face(style)
        faces = detector.detect(picture)
        if not faces:
            return None
        mesh = faces[0].points
        measured = measure_mouths(mesh[None])[0]
        if attempt == 0:
            wanted[1] = measured[1] + (wider or 0.0)
        change = (wanted - measured) * (1.0, 0.0 if wider is None else 1.0, 1.0, 0.5)
        if abs(change[0]) < 0.015 and abs(change[1]) < 0.02 and abs(measured[2]) < _STRAIGHT:
            break
        if attempt < 4:
            style = style + 0.8 * directions.cause @ change
    return picture, mesh, style


@dataclass(frozen=True, slots=True)
class Person:
    """One face with several expressions."""

    pictures: AnyArray  # [E, PICTURE_PX, PICTURE_PX, 3] uint8
    meshes: FloatArray  # [E, L, 3] in their pixels


def draw_person(
    generator: FaceSource, detector: FaceDetector, directions: MouthDirections, style: FloatArray
) -> Person | None:
    """All EXPRESSIONS of a face, fewer where the detector finds none; None where it is lost."""
    import cv2

    posed = pose_mouth(generator, detector, directions, style, 0.05)
    if posed is None:
        return None
    _, mesh, straight = posed
    usual = measure_mouths(mesh[None])[0, 0]
    pictures, meshes = [], []
    for gap, wider in EXPRESSIONS:
        change = np.array([gap - usual, wider, 0.0, 0.0])
        picture = generator.face(straight + directions.cause @ change)
        faces = detector.detect(picture)
        if faces:
            factor = PICTURE_PX / len(picture)
            small = cv2.resize(picture, (PICTURE_PX, PICTURE_PX), interpolation=cv2.INTER_AREA)
            pictures.append(small)
            meshes.append(faces[0].points * factor)
    if len(pictures) < 3:
        return None
    return Person(np.stack(pictures), np.stack(meshes).astype(np.float32))


def draw_people(
    folder: Path,
    generator: FaceSource,
    detector: FaceDetector,
    directions: MouthDirections,
    styles: FloatArray,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write one ``NNN.npz`` per style [n, D] into ``folder``, those already there left alone;
    how many people are there then."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, style in enumerate(styles):
        path = folder / f"{index:03d}.npz"
        if not path.exists():
            person = draw_person(generator, detector, directions, style)
            if person is not None:
                np.savez(path, pictures=person.pictures, meshes=person.meshes)
        if progress is not None:
            progress(index + 1, len(styles))
    return len(list(folder.glob("*.npz")))


def read_people(folder: Path) -> Iterator[tuple[str, Person]]:
    """The people in ``folder``, by name."""
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as stored:
            yield path.stem, Person(stored["pictures"], stored["meshes"])
