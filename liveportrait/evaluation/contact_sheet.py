"""The evaluation's pictures: what the figures cannot say."""

import numpy as np

from liveportrait.evaluation.clips import Clip
from liveportrait.evaluation.cross_driving import CrossDriving
from liveportrait.evaluation.measures import face_square
from liveportrait.evaluation.reenactment import FULL, WARP, Reenactment
from models.face_keypoints import angles_of, eye_openness, fit_pose, lip_gap
from models.shapes import FloatArray, Image

_TILE_PX = 176
_LABEL_COLOUR = (255, 235, 60)


def reenactment_row(done: Reenactment) -> Image:
    """The source, then real, warp alone and full at the widest lips; real and full at the furthest
    turn; real and full with the lids lowest: RGB [tile, 8 tiles, 3]."""
    meshes = done.real_meshes
    wide = int(np.argmax(lip_gap(meshes)))
    turned = int(np.argmax(_turn(meshes)))
    blinking = int(np.argmin(eye_openness(meshes)))
    real, warp, full = done.real, done.rendered[WARP], done.rendered[FULL]
    # one square holds the face in all of them, so that a misplaced face shows
    square = _around(done.source, np.concatenate(meshes[[0, wide, turned, blinking]]))
    pictures = (
        (f"{done.name[:20]}: source", done.source),
        ("lips: real", real[wide]),
        ("warp alone", warp[wide]),
        ("full", full[wide]),
        ("turn: real", real[turned]),
        ("full", full[turned]),
        ("lids: real", real[blinking]),
        ("full", full[blinking]),
    )
    return np.hstack([_tile(label, picture[square]) for label, picture in pictures])


def cross_row(clip: Clip, done: CrossDriving) -> Image:
    """Driver and portrait in four frames from shut to wide lips: RGB [tile, 8 tiles, 3]."""
    order = np.argsort(done.driver_gap, kind="stable")
    chosen = order[np.linspace(0, len(order) - 1, 4).astype(int)]
    tiles = []
    for at in chosen:
        driver = clip.frames[at][_around(clip.frames[at], clip.meshes[at])]
        tiles.append(_tile(clip.name[:20], driver))
        tiles.append(_tile(f"{done.portrait}: lips r {done.lip_r:.2f}", done.frames[at]))
    return np.hstack(tiles)


def _turn(meshes: FloatArray) -> FloatArray:
    """Degrees [T] that each head is turned off the first one's pose."""
    _, turn, _ = fit_pose(meshes, meshes[0])
    return np.abs(np.stack(angles_of(turn))).max(0)  # type: ignore[no-any-return]


def _around(frame: Image, points: FloatArray) -> tuple[slice, slice]:
    """The square a quarter wider than the faces."""
    centre = (points.min(0) + points.max(0)) / 2
    wider = centre + 1.25 * (points - centre)
    rows, columns = face_square(wider, max(frame.shape[:2]))
    return slice(rows.start, min(rows.stop, frame.shape[0])), columns


def _tile(label: str, picture: Image) -> Image:
    import cv2

    tile = cv2.resize(picture, (_TILE_PX, _TILE_PX), interpolation=cv2.INTER_AREA)
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(tile, label, (4, 13), font, 0.36, (0, 0, 0), 2, cv2.LINE_AA)
    cv2.putText(tile, label, (4, 13), font, 0.36, _LABEL_COLOUR, 1, cv2.LINE_AA)
    return tile  # type: ignore[no-any-return]
