"""Make the keypoint map: track faces in talking clips, fit, and say how far off it is."""

import json
from itertools import islice
from pathlib import Path

import numpy as np

from liveportrait.lite.keypoint_map import KeypointMap, fit_keypoint_map, save_keypoint_map
from liveportrait.source.media import read_frames
from models.errors import NoFaceError
from models.face_keypoints import (
    KEYPOINT_INDICES,
    fit_pose,
    landmarks_to_motion,
    relative_to_rest,
)
from models.face_landmarks import FaceDetector
from models.shapes import FloatArray, IntArray

VIDEO_SUFFIXES = {".mp4", ".mpg", ".avi", ".mov", ".webm", ".mkv"}
_GROUPS = {
    "lips": (61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91),
    "inner_lips": (78, 80, 82, 13, 312, 310, 308, 318, 317, 14, 87, 88),
    "eyes": (159, 158, 160, 145, 153, 144, 386, 385, 387, 374, 373, 380),
    "brows": (105, 66, 107, 70, 334, 296, 336, 300),
    "jaw": (152, 148, 377, 172, 397, 58, 288),
    "iris": (468, 473),
}


def track_clip(path: Path, detector: FaceDetector, stride: int) -> FloatArray:
    """Meshes [T, L, 3] of the largest face in every ``stride``-th frame; frames without a face are
    left out. Raises ConfigError and VideoError."""
    frames = islice(read_frames(path), 0, None, stride)
    meshes = [faces[0].points for rgb in frames if (faces := detector.detect(rgb))]
    return np.stack(meshes) if meshes else np.zeros((0, 478, 3), np.float32)


def head_frame_offsets(meshes: FloatArray) -> tuple[FloatArray, FloatArray, tuple[float, float]]:
    """Of one person's meshes [T, L, 3]: keypoint offsets [T, K, 3], pose-free meshes [T, L, 3] in
    canonical units, and the usual (lid gap, mouth width)."""
    motion, canonical = landmarks_to_motion(meshes)
    scale, turn, shift = fit_pose(meshes, canonical)
    upright = (meshes - shift[:, None]) / scale[:, None, None] @ turn.transpose(0, 2, 1)
    gap = float(np.median(np.linalg.norm(upright[:, 159] - upright[:, 145], axis=-1)))
    width = float(np.linalg.norm(canonical[61] - canonical[291]))
    return relative_to_rest(motion).exp, upright.astype(np.float32), (gap, width)


def make_keypoint_map(
    clips: Path, out: Path, detector: FaceDetector, stride: int, held_out: int
) -> dict[str, float]:
    """Track every clip of a folder, fit on all but each ``held_out``-th, measure there, then fit on
    all and write ``out``. Returns held-out errors in canonical units (face height 240).

    Raises NoFaceError when no clip shows a face.
    """
    from tqdm import tqdm

    files = sorted(p for p in clips.iterdir() if p.suffix.lower() in VIDEO_SUFFIXES)
    keypoints, meshes, people, usuals = [], [], [], []
    for person, path in enumerate(tqdm(files, desc="tracking")):
        tracked = track_clip(path, detector, stride)
        if len(tracked) < 5:
            continue
        offsets, upright, usual = head_frame_offsets(tracked)
        keypoints.append(offsets)
        meshes.append(upright)
        people.append(np.full(len(tracked), person, np.int64))
        usuals.append(usual)
    if not keypoints:
        raise NoFaceError(f"no clip in {clips} shows a face for five frames")
    x, y, who = np.concatenate(keypoints), np.concatenate(meshes), np.concatenate(people)
    test = np.isin(who, np.unique(who)[::held_out])
    errors = _held_out_errors(
        fit_keypoint_map(x[~test], y[~test], who[~test]), x[test], y[test], who[test]
    )
    matrix = fit_keypoint_map(x, y, who)
    eye_gap, mouth_width = np.median(usuals, axis=0).tolist()
    save_keypoint_map(KeypointMap(matrix, tessellation(), eye_gap, mouth_width), out)
    report = {"frames": float(len(x)), "clips": float(len(keypoints)), **errors}
    out.with_suffix(".json").write_text(json.dumps(report, indent=1) + "\n")
    return report


def _held_out_errors(
    matrix: FloatArray, x: FloatArray, y: FloatArray, who: IntArray
) -> dict[str, float]:
    """Mean distance in canonical units per group of mesh points."""
    errors = []
    for person in np.unique(who):
        of = who == person
        dx, dy = x[of] - x[of].mean(0), y[of] - y[of].mean(0)
        guess = (dx.reshape(len(dx), -1) @ matrix).reshape(dy.shape)
        errors.append(np.linalg.norm(guess - dy, axis=-1))
    distance = np.concatenate(errors).mean(0)  # [L]
    distance[KEYPOINT_INDICES] = np.nan  # those are given, not guessed
    return {
        name: round(float(np.nanmean(distance[list(group)])), 3) for name, group in _GROUPS.items()
    }


def tessellation() -> IntArray:
    """MediaPipe's mesh triangles [852, 3]: its edge list runs around one triangle after another."""
    from mediapipe.tasks.python.vision.face_landmarker import FaceLandmarksConnections

    edges = FaceLandmarksConnections.FACE_LANDMARKS_TESSELATION
    return np.array([edge.start for edge in edges], np.int64).reshape(-1, 3)
