"""``python -m liveportrait evaluate``: every held-out clip, one after the other."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from liveportrait.evaluation.clips import held_out_clips, read_clip
from liveportrait.evaluation.contact_sheet import cross_row, reenactment_row
from liveportrait.evaluation.cross_driving import CrossDriving, cross_drive
from liveportrait.evaluation.packaged_networks import FeatureDistance, IdentityNetwork
from liveportrait.evaluation.reenactment import Judges, Reenactment, reenact
from liveportrait.evaluation.report import Report
from liveportrait.lite.engine import LitePortrait, LiteRenderer
from models.device import DevicePolicy
from models.errors import ConfigError, VisavisError
from models.face_landmarks import MediaPipeDetector
from models.held_out import SPLITS, TALKING_CLIPS, Splits
from models.images import decode_image
from models.shapes import Image

_MOST_ROWS = 14  # of the sheet that are clips; a sheet nobody can look at is no use


@dataclass(frozen=True, slots=True)
class EvaluationJob:
    """Raises ConfigError on numbers that cannot be."""

    clips: Path
    portraits: Path  # folder of photographs that the clips also move
    weights: Path
    out: Path | None = None  # folder for the sheet and the JSON
    splits: Path | None = None  # table of which clip is in which split; None: the talking clips'
    wanted: tuple[str, ...] = ("validation", "test")
    max_frames: int = 75
    stride: int = 5

    def __post_init__(self) -> None:
        unknown = set(self.wanted) - set(SPLITS)
        if unknown:
            raise ConfigError(f"split is {unknown.pop()!r}; accepted: {', '.join(SPLITS)}")
        if self.max_frames < 4 or self.stride < 1:
            raise ConfigError(
                "evaluate needs 4 frames of a clip or more, and a stride of 1 or more"
            )


def evaluate(job: EvaluationJob, progress: Callable[[int, int], None]) -> Report:
    """Judge the lite engine on people it was not made from.

    ``progress`` is told how many clips are done, and of how many. Raises ConfigError for a folder
    without such clips, MissingWeightsError without the extra ``evaluate``.
    """
    import torch

    torch.set_num_threads(1)
    splits = TALKING_CLIPS if job.splits is None else Splits.load(job.splits)
    paths = held_out_clips(job.clips, splits, job.wanted)
    faces = MediaPipeDetector(job.weights / "face_landmarker.task")
    judges = Judges(faces, FeatureDistance(), IdentityNetwork())
    renderer = LiteRenderer(DevicePolicy(), job.weights)
    portraits = _portraits(renderer, job.portraits)
    done: list[Reenactment] = []
    crossed: list[CrossDriving] = []
    rows: list[Image] = []
    skipped: dict[str, str] = {}
    shown = np.unique(np.linspace(0, len(paths) - 1, _MOST_ROWS).astype(int))
    for index, path in enumerate(paths):
        progress(index, len(paths))
        try:
            clip = read_clip(path, faces, job.max_frames)
            moved = reenact(renderer, clip, judges, job.stride)
            crossing = cross_drive(renderer, clip, portraits[index % len(portraits)], faces)
        except VisavisError as error:
            skipped[path.name] = str(error)
            continue
        if index in shown:
            rows += [reenactment_row(moved), cross_row(clip, crossing)]
        done.append(moved.without_pictures())
        crossed.append(crossing.without_pictures())
    progress(len(paths), len(paths))
    report = Report.of(done, crossed, skipped)
    if job.out is not None:
        _write(job.out, report, rows)
    return report


def _portraits(renderer: LiteRenderer, folder: Path) -> list[tuple[str, LitePortrait]]:
    files = sorted(p for p in folder.glob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if not files:
        raise ConfigError(f"{folder} holds no portraits; accepted: .jpg, .jpeg, .png")
    return [(path.stem, renderer.prepare(decode_image(path.read_bytes()))) for path in files]


def _write(out: Path, report: Report, rows: list[Image]) -> None:
    import cv2

    out.mkdir(parents=True, exist_ok=True)
    report.save(out / "evaluation.json")
    if rows and not cv2.imwrite(str(out / "sheet.png"), np.vstack(rows)[..., ::-1]):
        raise ConfigError(f"{out / 'sheet.png'} cannot be written")
