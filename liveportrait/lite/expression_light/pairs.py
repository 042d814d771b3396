"""Pairs to learn from: the window that the renderer made of one picture of a person, and the same
window in another picture of that person, whose pose and expression it was given."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from liveportrait.lite.crop import SIDE_PX, crop_face
from liveportrait.lite.engine import LitePortrait, LiteRenderer
from liveportrait.lite.expression_light.window import (
    cut_window,
    lips_mask,
    mouth_state,
    place_window,
)
from models.errors import PortraitError
from models.face_keypoints import landmarks_to_motion, lip_gap
from models.face_landmarks import FaceLandmarks
from models.shapes import AnyArray, FloatArray, Image

SOURCES = 3  # pictures of a person that serve as the photograph
_TURN_LIMIT = 14.0  # degrees between photograph and target


@dataclass(frozen=True, slots=True)
class Pairs:
    """n pairs."""

    window: AnyArray  # [n, W, W, 3] uint8, as rendered
    lips: AnyArray  # [n, W, W] uint8, 255 on lips and mouth
    state: FloatArray  # [n, STATES]
    target: AnyArray  # [n, W, W, 3] uint8, as it was

    def __len__(self) -> int:
        return len(self.window)


def person_pairs(
    renderer: LiteRenderer,
    pictures: list[Image],
    meshes: FloatArray,
    targets: int,
    rng: np.random.Generator,
) -> Pairs | None:
    """Pairs of one person's ``pictures`` with ``meshes`` [n, L, 3], up to ``targets`` for each of
    SOURCES photographs, whose mouths are rather shut; None when no picture can be one."""
    calm = np.argsort(lip_gap(meshes), kind="stable")[: max(2, len(meshes) // 2)]
    rows: list[tuple[AnyArray, ...]] = []
    for source in rng.permutation(calm)[:SOURCES]:
        crop = crop_face(pictures[source], FaceLandmarks(meshes[source]))
        try:
            portrait = renderer.measure(crop, crop.to_frame(meshes[source]))
        except PortraitError:
            continue
        there = np.linalg.inv(crop.to_photo)[:2]
        for target in rng.permutation(len(pictures))[:targets]:
            seen = _on_frame(pictures[target], there)
            row = _pair(renderer, portrait, seen, crop.to_frame(meshes[target]))
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
    renderer: LiteRenderer, portrait: LitePortrait, seen: Image, mesh: FloatArray
) -> tuple[AnyArray, ...] | None:
    canonical = landmarks_to_motion(portrait.points[None])[1]
    motion, _ = landmarks_to_motion(mesh[None], canonical)
    own = portrait.source
    if max(abs(float(motion.yaw[0] - own.yaw[0])), abs(float(motion.pitch[0] - own.pitch[0]))) > (
        _TURN_LIMIT
    ):
        return None
    frame = renderer.render([portrait], motion)[0]
    moved = renderer.move(portrait, motion)
    rest = portrait.mouth_at_rest
    matrix = place_window(rest.middle, moved.scale, moved.turn, moved.shift)
    return (
        cut_window(frame, matrix),
        lips_mask(moved.points[:, :2], matrix),
        mouth_state(rest, moved.head),
        cut_window(seen, matrix),
    )


def write_pairs(
    out: Path,
    renderer: LiteRenderer,
    people: Iterable[tuple[str, list[Image], FloatArray]],
    targets: int,
    progress: Callable[[str, int], None] | None = None,
) -> int:
    """One ``NAME.npz`` of Pairs per person (name, pictures, meshes [n, L, 3]); how many pairs were
    made. The renderer loses its expression light: that is what shall be learnt."""
    out.mkdir(parents=True, exist_ok=True)
    renderer.stages.pop("light", None)
    made = 0
    for index, (name, pictures, meshes) in enumerate(people):
        pairs = person_pairs(renderer, pictures, meshes, targets, np.random.default_rng(index))
        if pairs is None:
            continue
        stored = {field.name: getattr(pairs, field.name) for field in fields(Pairs)}
        np.savez(out / f"{name}.npz", **stored)
        made += len(pairs)
        if progress is not None:
            progress(name, len(pairs))
    return made


def read_pairs(path: Path) -> Pairs:
    """What ``write_pairs`` wrote of one person."""
    with np.load(path) as stored:
        return Pairs(**{field.name: stored[field.name] for field in fields(Pairs)})
