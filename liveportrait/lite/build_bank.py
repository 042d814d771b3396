"""Make the mouth bank: people who do not exist, turned to the camera, mouths opened, cut."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from liveportrait.lite.mouth_bank import (
    LAYER_WIDTH,
    LOWER_EDGE_ROW,
    UPPER_EDGE_ROW,
    MouthLayers,
    save_mouth_bank,
)
from liveportrait.lite.mouth_cut import cut_mouth
from liveportrait.lite.synthetic_faces import MEASURED, FaceSource, fit_directions, pose_mouth
from models.errors import WeightsError
from models.face_keypoints import landmarks_to_motion
from models.face_landmarks import FaceDetector
from models.shapes import Image

LIP_GAP = 0.37  # over the eye distance: wide enough to show both rows of teeth
# ranks in ``fit_directions``'s order, looked at by a person one by one: adults, men and women of
# many ages and skins, none in dark glasses
ADULTS = (0, 49, 71, 61, 37, 122, 25, 45, 178, 124, 65, 96, 24, 80, 160, 10, 111, 34, 190, 29, 42,
          127, 62, 31, 5, 102, 126, 7, 44, 59, 167, 35, 83, 128, 17, 33, 157, 40, 185, 84, 50, 91,
          68, 186, 77, 121, 98, 109, 112, 60, 149, 136, 125, 153)  # fmt: skip
UNEVEN = (0, 50, 60, 153, 190)  # of them: torn, overexposed or half hidden teeth
_MIDDLE = slice(LAYER_WIDTH // 2 - 20, LAYER_WIDTH // 2 + 20)
_ROUGHEST_EDGE = 1.5  # rows
_DARKEST_CAVITY = 1.5  # times darker than teeth a cavity has to be


def edge_roughness(mouth: MouthLayers) -> float:
    """How far the upper teeth's edge is off a smooth arch: mean over its middle, in rows."""
    middle = np.arange(LAYER_WIDTH // 2 - 60, LAYER_WIDTH // 2 + 60)
    tooth = mouth.upper[:, middle, 3] > 128
    edge = len(tooth) - 1 - np.argmax(tooth[::-1], axis=0)
    across = middle - LAYER_WIDTH / 2
    arch = np.polyval(np.polyfit(across, edge, 2), across)
    return float(np.abs(edge - arch).mean())


def is_clean(mouth: MouthLayers) -> bool:
    """Whether both rows of teeth stand where they should, unbroken and in an even arch, brighter
    than the cavity: what a torn or half-shut mouth does not show."""
    upper, lower = mouth.upper[..., 3], mouth.lower[..., 3]
    return bool(
        upper[UPPER_EDGE_ROW - 12 : UPPER_EDGE_ROW - 5, _MIDDLE].min() > 200
        and upper[UPPER_EDGE_ROW + 11 :].max() < 60
        and lower[LOWER_EDGE_ROW + 8 :, _MIDDLE].min() > 150
        and edge_roughness(mouth) < _ROUGHEST_EDGE
        and mouth.teeth_colour.mean() > _DARKEST_CAVITY * mouth.cavity[10:30, 20:44].mean()
    )


def build_mouth_bank(
    out: Path,
    detector: FaceDetector,
    generator: FaceSource,
    sheet: Path | None = None,
    ranks: Sequence[int] = tuple(sorted(set(ADULTS) - set(UNEVEN))),
    measured: int = MEASURED,
) -> int:
    """Write the bank of the people at ``ranks`` whose mouths are clean; ``sheet``: also a picture
    of their faces to look at.

    Returns how many mouths it holds. Raises WeightsError when there is none.
    """
    from tqdm import tqdm

    directions, styles = fit_directions(generator, detector, measured)
    mouths: list[MouthLayers] = []
    faces: list[Image] = []
    for rank in tqdm([rank for rank in ranks if rank < len(styles)], desc="opening mouths"):
        posed = pose_mouth(generator, detector, directions, styles[rank], LIP_GAP)
        if posed is None:
            continue
        picture, mesh, _ = posed
        mouth = cut_mouth(picture, mesh, landmarks_to_motion(mesh[None])[1])
        if is_clean(mouth):
            mouths.append(mouth)
            faces.append(picture)
    if not mouths:
        raise WeightsError(f"none of {len(ranks)} faces showed both rows of teeth")
    save_mouth_bank(mouths, out)
    if sheet is not None:
        _write_sheet(faces, sheet)
    return len(mouths)


def _write_sheet(faces: list[Image], path: Path, columns: int = 6, tile_px: int = 256) -> None:
    import cv2

    size = (tile_px, tile_px)
    tiles = [cv2.resize(face, size, interpolation=cv2.INTER_AREA) for face in faces]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]
    cv2.imwrite(str(path), np.vstack(rows)[..., ::-1])
