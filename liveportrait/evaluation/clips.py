"""The clips of people left out of training, and what is seen in them."""

from dataclasses import dataclass
from pathlib import Path

from liveportrait.animate.lite_motion import track_driver
from liveportrait.lite.fit_map import VIDEO_SUFFIXES
from liveportrait.source.media import read_frames
from models.errors import ConfigError
from models.face_landmarks import FaceDetector
from models.held_out import SPLITS, Splits
from models.shapes import FloatArray, Image
from models.timing import FPS


@dataclass(frozen=True, slots=True)
class Clip:
    """The first frames of a clip at 25 a second."""

    name: str
    frames: list[Image]  # [T] of [H, W, 3]
    meshes: FloatArray  # [T, L, 3] pixels; where no face was found, interpolated


def held_out_clips(folder: Path, splits: Splits, wanted: tuple[str, ...]) -> list[Path]:
    """Clips of ``folder`` in one of the ``wanted`` splits, by name.

    Raises ConfigError when there is none.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder} is no folder of clips")
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in VIDEO_SUFFIXES)
    chosen = [path for path in files if splits.split_of(path.name) in wanted]
    if not chosen:
        raise ConfigError(
            f"none of the {len(files)} clips in {folder} is in {' or '.join(wanted)}; how a name "
            f"begins decides its split ({', '.join(SPLITS)}): bring a table with --splits"
        )
    return chosen


def read_clip(path: Path, detector: FaceDetector, max_frames: int) -> Clip:
    """Raises ConfigError, VideoError and NoFaceError."""
    frames = list(read_frames(path, fps=FPS, max_frames=max_frames))
    return Clip(path.stem, frames, track_driver(frames, detector))
