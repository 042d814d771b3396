"""The people whose pictures become pairs: of talking clips, and drawn ones."""

from collections.abc import Iterator
from pathlib import Path
from typing import cast, get_args

import numpy as np

from liveportrait.lite.fit_map import VIDEO_SUFFIXES
from liveportrait.lite.synthetic_faces import read_people
from liveportrait.source.media import read_frames
from models.errors import ConfigError
from models.face_landmarks import FaceDetector
from models.held_out import Split, split_of
from models.shapes import FloatArray, Image

Person = tuple[str, list[Image], FloatArray]  # name, pictures, meshes [n, L, 3]
_FEWEST = 5


def clip_people(
    clips: Path, split: Split, frames: int, detector: FaceDetector, done: set[str]
) -> Iterator[Person]:
    """Up to ``frames`` frames with a face, evenly spread, of every clip of a split; the names in
    ``done`` are left out."""
    for path in sorted(p for p in clips.iterdir() if p.suffix.lower() in VIDEO_SUFFIXES):
        if split_of(path.name) != split or path.stem in done:
            continue
        every = read_frames(path)
        chosen = np.linspace(0, len(every) - 1, min(frames, len(every))).astype(int).tolist()
        pictures, meshes = [], []
        for index, rgb in enumerate(every):
            if index in chosen and (faces := detector.detect(rgb)):
                pictures.append(rgb)
                meshes.append(faces[0].points)
        if len(pictures) >= _FEWEST:
            yield path.stem, pictures, np.stack(meshes)


def drawn_people(folder: Path, done: set[str]) -> Iterator[Person]:
    """The people that ``draw_people`` drew into ``folder``."""
    for name, person in read_people(folder):
        if name not in done:
            yield name, list(person.pictures), person.meshes


def named_split(name: str) -> Split:
    """Raises ConfigError when there is no such split."""
    for split in get_args(Split):
        if name == split:
            return cast(Split, split)
    raise ConfigError(f"split is {name!r}; accepted: {', '.join(get_args(Split))}")
