"""A driving video, picture or template -> relative motion for the lite engine."""

from collections.abc import Iterable

import numpy as np

from liveportrait.animate.smooth import smooth_tracked
from models.errors import NoFaceError
from models.face_keypoints import (
    landmarks_to_motion,
    median_pose,
    neutral_face,
    relative_to_rest,
)
from models.face_landmarks import FaceDetector, FaceLandmarks
from models.motion import Motion, rest
from models.shapes import KEYPOINTS, FloatArray, Image, IntArray

MOUTH = np.array((*range(11), 12, 13))  # lips, chin, jaw angles among the lite keypoints
EYES = np.array((14, 15, 16, 17, 20))  # lids, iris
BROWS = np.array((18, 19))
_MOST_LOST = 0.5  # share of frames without the face, from which on a driver is refused


def track_driver(frames: Iterable[Image], detector: FaceDetector) -> FloatArray:
    """The driver's mesh in every frame [T, L, 3]; frames where the face is lost are interpolated.

    Of several faces the one that continues the last frame's is taken, at first the largest.
    Raises NoFaceError when no frame, or less than half of them, shows a face.
    """
    meshes: list[FloatArray | None] = []
    last: FloatArray | None = None
    for frame in frames:
        faces = detector.detect(frame)
        found = _same_person(faces, last)
        last = found if found is not None else last
        meshes.append(found)
    seen = np.flatnonzero([mesh is not None for mesh in meshes])
    if len(seen) <= (1 - _MOST_LOST) * len(meshes) or not len(meshes):
        raise NoFaceError(
            f"a face was found in {len(seen)} of the driving video's {len(meshes)} frames; "
            "accepted is a face that can be seen nearly all the time"
        )
    known = np.stack([mesh for mesh in meshes if mesh is not None])
    return _filled(known, seen, len(meshes))


def _same_person(faces: list[FaceLandmarks], last: FloatArray | None) -> FloatArray | None:
    if not faces:
        return None
    if last is None:
        return faces[0].points
    middle = last.mean(0)
    distance = [np.linalg.norm((face.points.mean(0) - middle)[:2]) for face in faces]
    return faces[int(np.argmin(distance))].points


def _filled(known: FloatArray, seen: IntArray, frames: int) -> FloatArray:
    """Meshes [n, L, 3] of the frames ``seen`` [n] -> [frames, L, 3], linear in between."""
    at = np.arange(frames)
    after = np.clip(np.searchsorted(seen, at), 0, len(seen) - 1)
    before = np.clip(np.searchsorted(seen, at, side="right") - 1, 0, len(seen) - 1)
    span = np.maximum(seen[after] - seen[before], 1)
    share = np.clip((at - seen[before]) / span, 0, 1)[:, None, None].astype(np.float32)
    filled: FloatArray = known[before] + share * (known[after] - known[before])
    return filled


def driver_motion(meshes: FloatArray, *, relative: bool, source: Motion) -> Motion:
    """Meshes [T, L, 3] -> motion relative to the source's rest, smoothed.

    Lids and gaze are measured from the driver's own rest. Of the other face points the driver's
    first frame, its lips shut, counts as rest (``relative``), as the source's picture does for the
    source: so a picture is not moved by the frame that it is, and lips open as far as the driver's.
    The head turns from where the first frame has it. Else both are taken as the driver has them;
    ``source`` (T == 1) is the portrait's own pose. A single picture shows no rest of its own: its
    lips are measured from shut ones, but its lids, brows and gaze count as being at rest.
    """
    tracked, _ = landmarks_to_motion(meshes)
    usual = median_pose(tracked)
    motion = relative_to_rest(tracked, usual)
    if relative:
        since_first, _ = landmarks_to_motion(meshes, neutral_face(meshes[:1]))
        of_rest = motion.exp[:, EYES]
        motion = relative_to_rest(since_first, median_pose(since_first))
        motion.exp[:, EYES] = of_rest
    motion = smooth_tracked(motion)
    if relative:
        start = motion[:1]
        pitch, yaw, roll = (
            motion.pitch - start.pitch,
            motion.yaw - start.yaw,
            motion.roll - start.roll,
        )
        shift, scale = motion.t - start.t, motion.scale / start.scale
    else:
        pitch, yaw, roll = (
            motion.pitch + usual.pitch - source.pitch,
            motion.yaw + usual.yaw - source.yaw,
            motion.roll + usual.roll - source.roll,
        )
        shift, scale = motion.t, motion.scale
    return Motion(pitch, yaw, roll, shift, scale, motion.exp)


def multiplied(motion: Motion, factor: float) -> Motion:
    """Relative motion times ``factor``; 1 leaves it as it is."""
    share = np.float32(factor)
    return Motion(
        motion.pitch * share,
        motion.yaw * share,
        motion.roll * share,
        motion.t * share,
        motion.scale**share,
        motion.exp * share,
    )


def driven_keypoints_of(region: str) -> IntArray:
    """Lite keypoints that the driver moves in an animation region."""
    every = np.arange(KEYPOINTS)
    none = np.zeros(0, np.int64)
    return {"all": every, "exp": every, "pose": none, "lip": MOUTH, "eyes": EYES}[region]


def limited_to_region(motion: Motion, region: str) -> Motion:
    """``motion`` without what lies outside the region: head pose and keypoints at rest."""
    still = rest(len(motion))
    pose = motion if region in ("all", "pose") else still
    exp = still.exp
    driven = driven_keypoints_of(region)
    exp[:, driven] = motion.exp[:, driven]
    return Motion(pose.pitch, pose.yaw, pose.roll, pose.t, pose.scale, exp)
