"""The motion of a clip that somebody points at: a motion file, a face track, or a stored shard."""

from dataclasses import fields
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from dit.preparation.shards import read_shards
from models.errors import ConfigError
from models.face_keypoints import landmarks_to_motion, relative_to_rest
from models.motion import Motion

ACCEPTED = (
    "a motion file (dit sample), a face track (OUT/tracks/NAME.npz of dit prepare), or "
    "SHARDS:NAME, the folder of a prepared set and a clip in it"
)
MOTION_FIELDS = tuple(f.name for f in fields(Motion))


def reference_motion(reference: str) -> Motion:
    """Motion relative to the person's rest. Raises ConfigError for anything but ``ACCEPTED``."""
    if Path(reference).is_file():
        return _from_file(Path(reference))
    folder, colon, name = reference.rpartition(":")
    if not colon or not Path(folder).is_dir():
        raise ConfigError(f"no reference clip {reference}; accepted: {ACCEPTED}")
    for shard in read_shards(Path(folder)):
        if shard.name == name:
            return shard.motion
    raise ConfigError(f"{folder} has no clip {name!r}")


def _from_file(path: Path) -> Motion:
    try:
        with np.load(path) as stored:
            if "points" in stored:
                return relative_to_rest(landmarks_to_motion(stored["points"])[0])
            return Motion(**{name: stored[name] for name in MOTION_FIELDS})
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise ConfigError(f"{path} is no reference clip ({error}); accepted: {ACCEPTED}") from error
