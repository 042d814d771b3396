"""Pairs to train the refiner on: a window that the renderer made of one picture of a person, and
the same window in another picture of that person, whose pose and expression it was given.

The interior of the mouth is painted from the person's own teeth, in a light made wrong on purpose:
what can be learnt is to light and blend teeth, not to replace them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from liveportrait.lite.crop import SIDE_PX, crop_face
from liveportrait.lite.engine import LitePortrait, LiteRenderer
from liveportrait.lite.mouth import MouthFrame, MouthPaint
from liveportrait.lite.refine.own_mouth import in_light, own_mouth
from liveportrait.lite.refine.window import (
    MouthView,
    cut_window,
    inner_mask,
    mouth_state,
    place_window,
)
from models.errors import PortraitError
from models.face_keypoints import landmarks_to_motion, lip_gap
from models.face_landmarks import FaceLandmarks
from models.shapes import AnyArray, FloatArray, Image

WIDE_GAP = 0.13  # over the eye distance: from here on both rows of teeth can be cut out
SOURCES = 3  # pictures of a person that serve as the photograph
_TURN_LIMIT = 14.0  # degrees between photograph and target
_LIGHT = (0.6, 1.35)  # gains of the painted interior
_TINT = 0.08


@dataclass(frozen=True, slots=True)
class Pairs:
    """n pairs."""

    window: AnyArray  # [n, W, W, 3] uint8, as rendered
    mask: AnyArray  # [n, W, W] uint8, between the lips
    rest: AnyArray  # [n, W, W, 3] uint8, of the photograph
    state: FloatArray  # [n, STATES]
    target: AnyArray  # [n, W, W, 3] uint8, as it was

    def __len__(self) -> int:
        return len(self.window)


class Recorder:
    """Stands in for the refiner and keeps what that would see."""

    def __init__(self) -> None:
        self.window: Image | None = None
        self.mask: AnyArray | None = None
        self.state: FloatArray | None = None
        self.matrix: FloatArray | None = None

    def __call__(self, frame: Image, view: MouthView, mouth: MouthFrame) -> None:
        """See ``Refiner``; changes nothing."""
        self.matrix = place_window(view.middle, mouth)
        self.window = cut_window(frame, self.matrix)
        self.mask = inner_mask(mouth.pixels, self.matrix)
        self.state = mouth_state(view, mouth.head)


def person_pairs(
    renderer: LiteRenderer,
    pictures: list[Image],
    meshes: FloatArray,
    targets: int,
    rng: np.random.Generator,
) -> Pairs | None:
    """Pairs of one person's ``pictures`` with ``meshes`` [n, L, 3], up to ``targets`` for each of
    SOURCES photographs; None when no picture can be one.

    The renderer's refiner must be a Recorder.
    """
    recorder = renderer.refiner
    assert isinstance(recorder, Recorder)
    gaps = lip_gap(meshes)
    widest = int(np.argmax(gaps))
    calm = np.argsort(gaps, kind="stable")[: max(2, len(gaps) // 2)]
    chosen = rng.permutation(calm)[:SOURCES]
    rows: list[tuple[AnyArray, ...]] = []
    for source in chosen:
        crop = crop_face(pictures[source], FaceLandmarks(meshes[source]))
        try:
            portrait = renderer.measure(crop, crop.to_frame(meshes[source]))
        except PortraitError:
            continue
        teeth = None
        if gaps[widest] > WIDE_GAP:
            teeth = own_mouth(portrait.mouth, pictures[widest], meshes[widest])
        there = np.linalg.inv(crop.to_photo)[:2]
        for target in rng.permutation(len(pictures))[:targets]:
            mesh = crop.to_frame(meshes[target])
            row = _pair(renderer, portrait, teeth, _on_frame(pictures[target], there), mesh, rng)
            if row is not None:
                rows.append(row)
    if not rows:
        return None
    return Pairs(*(np.stack(column) for column in zip(*rows, strict=True)))


def _on_frame(picture: Image, matrix: FloatArray) -> Image:
    import cv2

    if matrix[0, 0] < 0.7:  # shrink first, as crop_face does
        factor = float(matrix[0, 0])
        picture = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        matrix = matrix @ np.diag([1 / factor, 1 / factor, 1.0])
    return cv2.warpAffine(picture, matrix, (SIDE_PX, SIDE_PX), borderMode=cv2.BORDER_REPLICATE)  # type: ignore[no-any-return]


def _pair(
    renderer: LiteRenderer,
    portrait: LitePortrait,
    teeth: MouthPaint | None,
    seen: Image,
    mesh: FloatArray,
    rng: np.random.Generator,
) -> tuple[AnyArray, ...] | None:
    canonical = landmarks_to_motion(portrait.points[None])[1]
    motion, _ = landmarks_to_motion(mesh[None], canonical)
    turned = max(
        abs(float(motion.yaw[0] - portrait.source.yaw[0])),
        abs(float(motion.pitch[0] - portrait.source.pitch[0])),
    )
    if turned > _TURN_LIMIT:
        return None
    light = rng.uniform(*_LIGHT) * rng.uniform(1 - _TINT, 1 + _TINT, 3)
    paint = in_light(teeth if teeth is not None else portrait.mouth, light.astype(np.float32))
    renderer.render([replace(portrait, mouth=paint)], motion)
    recorder = renderer.refiner
    assert isinstance(recorder, Recorder)
    assert recorder.matrix is not None
    assert recorder.window is not None
    assert recorder.mask is not None
    assert recorder.state is not None
    target = cut_window(seen, recorder.matrix)
    return recorder.window, recorder.mask, portrait.view.rest, recorder.state, target


def write_pairs(
    out: Path,
    renderer: LiteRenderer,
    people: Iterable[tuple[str, list[Image], FloatArray]],
    targets: int,
    progress: Callable[[str, int], None] | None = None,
) -> int:
    """One ``NAME.npz`` of Pairs per person (name, pictures, meshes [n, L, 3]), those already there
    left alone; how many pairs were made."""
    out.mkdir(parents=True, exist_ok=True)
    renderer.refiner = Recorder()
    made = 0
    for index, (name, pictures, meshes) in enumerate(people):
        path = out / f"{name}.npz"
        if path.exists():
            continue
        pairs = person_pairs(renderer, pictures, meshes, targets, np.random.default_rng(index))
        if pairs is None:
            continue
        np.savez(path, **{field.name: getattr(pairs, field.name) for field in fields(Pairs)})
        made += len(pairs)
        if progress is not None:
            progress(name, len(pairs))
    return made


def read_pairs(path: Path) -> Pairs:
    """What ``write_pairs`` wrote of one person."""
    with np.load(path) as stored:
        return Pairs(**{field.name: stored[field.name] for field in fields(Pairs)})
