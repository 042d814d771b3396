"""What one rendered frame is off the real one, and how a row of frames lives."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.face_keypoints import FACE_OVAL, STABLE, eye_openness
from models.face_landmarks import FaceDetector
from models.shapes import LANDMARKS, AnyArray, FloatArray, Image

_LIVELY_SIDE_PX = 128
_LIVELY_EYES = (48.0, 80.0)  # x of the outer eye corners in the aligned face; y below
_LIVELY_EYES_Y = 52.0
_SSIM_SIGMA = 1.5
_BLINK_SPREAD = 0.008  # of the lids' opening over time; below it there is no blink, only trembling


def face_mask(points: FloatArray, side: int) -> AnyArray:
    """bool [side, side]: inside the face oval of a mesh [L, 3] in pixels."""
    import cv2

    mask = np.zeros((side, side), np.uint8)
    cv2.fillPoly(mask, [np.round(points[FACE_OVAL, :2]).astype(np.int32)], 1)
    return mask.astype(bool)


def face_square(points: FloatArray, side: int) -> tuple[slice, slice]:
    """Rows and columns of the square around a mesh [L, 3], a tenth wider, inside the frame."""
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    half = 0.55 * float((high - low).max())
    left, top = np.clip(np.round((low + high) / 2 - half).astype(int), 0, side)
    right, bottom = np.clip(np.round((low + high) / 2 + half).astype(int), 0, side)
    return slice(top, bottom), slice(left, right)


@dataclass(frozen=True, slots=True)
class Likeness:
    """One frame against the real one, inside the real face's oval."""

    l1: float  # mean distance of colours, 0..1
    ssim: float  # of the grey picture


def likeness(rendered: Image, real: Image, points: FloatArray) -> Likeness:
    """Frames [S, S, 3]; ``points`` [L, 3]: the face in the real one. Needs scikit-image.

    SSIM as in Wang et al. 2004: Gaussian window of sigma 1.5, at the frame's full resolution.
    """
    import cv2
    from skimage.metrics import structural_similarity

    rows, columns = face_square(points, len(real))
    mask = face_mask(points, len(real))[rows, columns]
    rendered, real = rendered[rows, columns], real[rows, columns]
    l1 = float(np.abs(rendered.astype(np.float32) - real)[mask].mean() / 255)
    _, ssim = structural_similarity(
        cv2.cvtColor(rendered, cv2.COLOR_RGB2GRAY),
        cv2.cvtColor(real, cv2.COLOR_RGB2GRAY),
        gaussian_weights=True,
        sigma=_SSIM_SIGMA,
        use_sample_covariance=False,
        data_range=255,
        full=True,
    )
    return Likeness(l1, float(ssim[mask].mean()))


def landmark_error_px(found: FloatArray, real: FloatArray) -> float:
    """Mean distance in the picture of two meshes [L, 3]."""
    return float(np.linalg.norm((found - real)[:, :2], axis=-1).mean())


def liveliness(frames: list[Image], meshes: FloatArray) -> float:
    """How much the face changes from frame to frame beyond moving on evenly.

    Frames are aligned by their own stable points; then the mean size of the second difference over
    time inside the face, in grey levels. A still picture has 0; noise and flicker raise it.
    """
    aligned = np.stack([_aligned(f, m) for f, m in zip(frames, meshes, strict=True)])
    if len(aligned) < 3:
        return 0.0
    second = aligned[2:] - 2 * aligned[1:-1] + aligned[:-2]
    return float(np.abs(second).mean())


def _aligned(frame: Image, points: FloatArray) -> FloatArray:
    """The grey face [128, 128], its stable points where those of the first person's would be."""
    import cv2

    stable = points[STABLE, :2].astype(np.float64)
    eyes = points[[33, 263], :2].astype(np.float64)
    # the eye line sets turn and size; the mean of many points, which trembles less, the place
    span = complex(*(eyes[1] - eyes[0]))
    ratio = complex(_LIVELY_EYES[1] - _LIVELY_EYES[0]) / span
    matrix = np.array([[ratio.real, -ratio.imag, 0], [ratio.imag, ratio.real, 0]])
    middle = np.array([sum(_LIVELY_EYES) / 2, _LIVELY_EYES_Y])
    matrix[:, 2] = middle - matrix[:, :2] @ stable.mean(0)
    # finer than the aligned picture can hold would come out as flicker
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    grey = cv2.GaussianBlur(grey, (0, 0), max(0.3, 0.7 / abs(ratio)))
    side = (_LIVELY_SIDE_PX, _LIVELY_SIDE_PX)
    aligned: FloatArray = cv2.warpAffine(
        grey, matrix, side, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    ).astype(np.float32)
    return aligned


def pearson(first: FloatArray, second: FloatArray) -> float:
    """Correlation of two rows [T]; NaN where one of them does not move."""
    if len(first) < 3 or min(first.std(), second.std()) < 1e-6:
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])


def eye_r(found: FloatArray, real: FloatArray) -> float:
    """Correlation of the lids' opening of two rows of meshes [T, L, 3]; NaN where the real person
    does not blink: then it would be that of the trackers' trembling."""
    opening = eye_openness(real)
    if opening.std() < _BLINK_SPREAD:
        return float("nan")
    return pearson(eye_openness(found), opening)


def found_meshes(frames: Sequence[Image], detector: FaceDetector) -> tuple[FloatArray, AnyArray]:
    """Meshes [T, L, 3] of the largest face, and whether there was one [T]; the mesh of the frame
    before stands in where there was none."""
    faces = [detector.detect(frame) for frame in frames]
    nobody = np.zeros((LANDMARKS, 3), np.float32)
    last = next((each[0].points for each in faces if each), nobody)
    meshes = []
    for each in faces:
        last = each[0].points if each else last
        meshes.append(last)
    return np.stack(meshes), np.array([bool(each) for each in faces])
