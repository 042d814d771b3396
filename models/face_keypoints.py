"""The 21 explicit face points of the ``lite`` engine, and head pose + expression from a face mesh.

Points are MediaPipe's (x right, y down, z away). The canonical head looks straight at the camera,
has its face-oval centre at the origin and a face height (forehead 10 to chin 152, lips shut) of
240 units. Angles are those of ``models.motion``: positive pitch lowers the nose, positive yaw
turns it to the picture's left, positive roll turns the head clockwise in the picture.

Two forms of Motion:

absolute (``landmarks_to_motion``)
    obeys the keypoint equation exactly: ``driven_keypoints(canonical[KEYPOINT_INDICES], motion)``
    gives the tracked points back. ``t`` and ``scale`` in pixels, ``exp`` along the camera's axes.
relative (``relative_to_rest``, what the motion generator learns and emits)
    angles, shift and scale off the person's usual pose, shift in canonical units, and ``exp``
    along the head's own axes (head pose removed), so that "jaw down" is one direction whatever
    the head does. ``absolute_from_relative`` is the inverse.
"""

import numpy as np

from models.motion import Motion, rotation_matrix
from models.shapes import KEYPOINTS, LANDMARKS, FloatArray, IntArray

FACE_HEIGHT_UNITS = 240.0

LIPS = (61, 291, 0, 17, 13, 14, 40, 270, 88, 318)
KEYPOINT_INDICES = np.array(
    (*LIPS, 152, 4, 58, 288, 159, 145, 386, 374, 105, 334, 468), np.int64
)  # [K]
assert len(KEYPOINT_INDICES) == KEYPOINTS

# forehead and temples, nose bridge and tip, eye corners: what expressions hardly move
STABLE = np.fromstring(
    "10 109 338 67 297 103 332 54 284 21 251 162 389 127 356 151 8 "
    "168 6 197 195 5 4 1 122 351 196 419 33 133 263 362 34 264 143 372",
    np.int64,
    sep=" ",
)
FACE_OVAL = np.fromstring(
    "10 338 297 332 284 251 389 356 454 323 361 288 397 365 379 378 400 377 "
    "152 148 176 149 150 136 172 58 132 93 234 127 162 21 54 103 67 109",
    np.int64,
    sep=" ",
)
UPPER_INNER_LIP = np.array((78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308), np.int64)
LOWER_INNER_LIP = np.array((78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308), np.int64)
UPPER_OUTER_LIP = np.array((61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291), np.int64)
LOWER_OUTER_LIP = np.array((61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291), np.int64)
_SIDES = np.array(((33, 263), (133, 362), (61, 291), (127, 356), (234, 454), (58, 288)), np.int64)
_UPPER_SHARE = 0.25  # of a gap to be shut; the jaw does the rest


def fit_pose(
    points: FloatArray, canonical: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Least-squares similarity of the stable points (Umeyama 1991, without reflections).

    points: [T, L, 3]; canonical: [L, 3] -> scale [T], R [T, 3, 3] for row vectors, t [T, 3], so
    that ``points ~ scale * canonical @ R + t``.
    """
    target = points[:, STABLE].astype(np.float64)
    source = canonical[STABLE].astype(np.float64)
    target_mean, source_mean = target.mean(1, keepdims=True), source.mean(0)
    centred = source - source_mean
    u, spread, vt = np.linalg.svd(centred.T @ (target - target_mean))
    flip = np.ones_like(spread)
    flip[:, 2] = np.sign(np.linalg.det(u @ vt))
    turn = (u * flip[:, None, :]) @ vt
    scale = (spread * flip).sum(-1) / (centred**2).sum()
    shift = target_mean[:, 0] - scale[:, None] * (source_mean @ turn)
    return scale.astype(np.float32), turn.astype(np.float32), shift.astype(np.float32)


def angles_of(matrix: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Pitch, yaw, roll in degrees [T] of row-vector rotations [T, 3, 3]."""
    columns = matrix.astype(np.float64).transpose(0, 2, 1)
    pitch = np.arctan2(columns[:, 2, 1], columns[:, 2, 2])
    yaw = np.arcsin(np.clip(-columns[:, 2, 0], -1.0, 1.0))
    roll = np.arctan2(columns[:, 1, 0], columns[:, 0, 0])
    degrees = np.rad2deg(np.stack([pitch, yaw, roll])).astype(np.float32)
    return degrees[0], degrees[1], degrees[2]


def landmarks_to_motion(
    points: FloatArray, canonical: FloatArray | None = None
) -> tuple[Motion, FloatArray]:
    """Tracked meshes [T, L, 3] in pixels -> absolute Motion and the person's canonical [L, 3].

    Without ``canonical`` the person's rest is estimated from these frames (``neutral_face``).
    Raises ValueError on another shape, no frames, or values that are not finite.
    """
    if points.ndim != 3 or points.shape[1:] != (LANDMARKS, 3) or not len(points):
        raise ValueError(f"meshes are [T, {LANDMARKS}, 3] with T > 0, not {points.shape}")
    if not np.isfinite(points).all():
        raise ValueError("meshes hold values that are not finite; leave frames without a face out")
    if canonical is None:
        canonical = neutral_face(points)
    scale, turn, shift = fit_pose(points, canonical)
    pitch, yaw, roll = angles_of(turn)
    seen = (points[:, KEYPOINT_INDICES] - shift[:, None]) / scale[:, None, None]
    exp = seen - canonical[KEYPOINT_INDICES] @ rotation_matrix(pitch, yaw, roll)
    return Motion(pitch, yaw, roll, shift, scale, exp.astype(np.float32)), canonical


def relative_to_rest(motion: Motion, usual: Motion | None = None) -> Motion:
    """Absolute motion -> relative motion (see the module's text).

    ``usual``: the person's usual pose, T == 1; the median of ``motion`` when not given.
    """
    usual = usual if usual is not None else median_pose(motion)
    head = rotation_matrix(motion.pitch, motion.yaw, motion.roll)
    return Motion(
        motion.pitch - usual.pitch,
        motion.yaw - usual.yaw,
        motion.roll - usual.roll,
        (motion.t - usual.t) / usual.scale[:, None],
        motion.scale / usual.scale,
        motion.exp @ head.transpose(0, 2, 1),
    )


def absolute_from_relative(relative: Motion, usual: Motion) -> Motion:
    """Inverse of ``relative_to_rest``: ``usual`` (T == 1) is the pose to which motion is added."""
    pitch, yaw, roll = (
        relative.pitch + usual.pitch,
        relative.yaw + usual.yaw,
        relative.roll + usual.roll,
    )
    return Motion(
        pitch,
        yaw,
        roll,
        relative.t * usual.scale[:, None] + usual.t,
        relative.scale * usual.scale,
        relative.exp @ rotation_matrix(pitch, yaw, roll),
    )


def median_pose(motion: Motion) -> Motion:
    """The middle of a person's head poses, T == 1, with a neutral expression."""
    return Motion(
        np.median(motion.pitch, keepdims=True).astype(np.float32),
        np.median(motion.yaw, keepdims=True).astype(np.float32),
        np.median(motion.roll, keepdims=True).astype(np.float32),
        np.median(motion.t, axis=0, keepdims=True).astype(np.float32),
        np.median(motion.scale, keepdims=True).astype(np.float32),
        np.zeros((1, KEYPOINTS, 3), np.float32),
    )


def calm_frames(points: FloatArray) -> IntArray:
    """Numbers of the tenth of the frames with the smallest lip gap among those without a blink;
    points: [T, L, 3]."""
    openness = eye_openness(points)
    awake = np.flatnonzero(openness >= np.quantile(openness, 0.4))
    return awake[np.argsort(lip_gap(points[awake]), kind="stable")][: max(1, len(points) // 10)]


def neutral_face(points: FloatArray) -> FloatArray:
    """A person's canonical head [L, 3]: lips shut, eyes open, from meshes [T, L, 3] in pixels.

    Averages the calm frames (``calm_frames``), then shuts what gap is left (``shut_lips``), turns
    the head straight by its own left-right symmetry and scales it to 240 units.
    """
    calm = calm_frames(points)
    reference = points[calm[0]]
    scale, turn, shift = fit_pose(points[calm], reference)
    upright = (points[calm] - shift[:, None]) / scale[:, None, None] @ turn.transpose(0, 2, 1)
    return _straightened(shut_lips(upright.mean(0)))


def _straightened(head: FloatArray) -> FloatArray:
    """Turn a head [L, 3] by its symmetry, centre its oval, scale it to 240 units."""
    across = (head[_SIDES[:, 1]] - head[_SIDES[:, 0]]).mean(0)
    x_axis = across / np.linalg.norm(across)
    down = head[152] - head[10]
    y_axis = down - (down @ x_axis) * x_axis
    y_axis /= np.linalg.norm(y_axis)
    axes = np.stack([x_axis, y_axis, np.cross(x_axis, y_axis)], 1)  # [3, 3], columns
    straight = (head - head[FACE_OVAL].mean(0)) @ axes
    unit = FACE_HEIGHT_UNITS / np.linalg.norm(straight[10] - straight[152])
    canonical: FloatArray = (straight * unit).astype(np.float32)
    return canonical


def shut_lips(head: FloatArray) -> FloatArray:
    """Move lips and chin of a mesh [L, 3] so that the inner lips meet; any unit."""
    shut = head.copy()
    gaps = head[LOWER_INNER_LIP] - head[UPPER_INNER_LIP]  # [11, 3]
    for upper, lower in (
        (UPPER_INNER_LIP, LOWER_INNER_LIP),
        (UPPER_OUTER_LIP, LOWER_OUTER_LIP),
    ):
        inside = slice(1, -1)  # the corners belong to both lips and stay
        shut[upper[inside]] += _UPPER_SHARE * gaps[inside]
        shut[lower[inside]] -= (1 - _UPPER_SHARE) * gaps[inside]
    down = head[152] - head[10]
    down = down / np.linalg.norm(down)
    width = np.linalg.norm(head[291] - head[61])
    below = (head - head[17]) @ down > 0
    aside = np.linalg.norm((head - head[17]) - ((head - head[17]) @ down)[:, None] * down, axis=1)
    share = np.where(below, 0.8 * (1 - _UPPER_SHARE) * np.exp(-((aside / width) ** 2)), 0.0)
    share[np.concatenate([LOWER_OUTER_LIP, LOWER_INNER_LIP])] = 0.0
    shut -= (share[:, None] * gaps[5]).astype(head.dtype)
    return shut


def _eye_distance(points: FloatArray) -> FloatArray:
    distance: FloatArray = np.linalg.norm(points[:, 33] - points[:, 263], axis=-1)
    return distance


def lip_gap(points: FloatArray) -> FloatArray:
    """Inner-lip gap (13 to 14) of meshes [T, L, 3] over the outer-eye distance: [T]."""
    gap: FloatArray = np.linalg.norm(points[:, 13] - points[:, 14], axis=-1)
    return gap / _eye_distance(points)


def lip_width(points: FloatArray) -> FloatArray:
    """Mouth width (61 to 291) of meshes [T, L, 3] over the outer-eye distance: [T]."""
    width: FloatArray = np.linalg.norm(points[:, 61] - points[:, 291], axis=-1)
    return width / _eye_distance(points)


def eye_openness(points: FloatArray) -> FloatArray:
    """Mean lid gap of both eyes of meshes [T, L, 3] over the outer-eye distance: [T]."""
    right = np.linalg.norm(points[:, 159] - points[:, 145], axis=-1)
    left = np.linalg.norm(points[:, 386] - points[:, 374], axis=-1)
    openness: FloatArray = (right + left) / 2 / _eye_distance(points)
    return openness
