"""Self-reenactment: a clip's first frame, moved as the clip moves, against the clip itself.

The way is that of ``animate --engine lite``: the driver's smoothed, relative motion, limited to
what a portrait can take. Nothing about the person but the first frame is known to the picture.
"""

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from liveportrait.animate.lite_motion import driver_motion
from liveportrait.evaluation.clips import Clip
from liveportrait.evaluation.measures import (
    eye_r,
    face_square,
    found_meshes,
    landmark_error_px,
    likeness,
    liveliness,
    pearson,
)
from liveportrait.evaluation.packaged_networks import FeatureDistance, IdentityNetwork
from liveportrait.lite.crop import PORTRAIT, SIDE_PX, choose_face, crop_face
from liveportrait.lite.engine import LitePortrait, LiteRenderer
from models.face_keypoints import lip_gap
from models.face_landmarks import FaceDetector
from models.motion import Motion
from models.shapes import AnyArray, FloatArray, Image

STATIC, WARP, FULL = "static frame", "warp alone", "full lite"
VARIANTS = (STATIC, WARP, FULL)


@dataclass(frozen=True, slots=True)
class Judges:
    """What looks at the pictures."""

    faces: FaceDetector
    features: FeatureDistance
    identity: IdentityNetwork


@dataclass(frozen=True, slots=True)
class Score:
    """One variant of one clip; means over its frames."""

    l1: float  # 0..1, inside the face
    ssim: float  # inside the face
    feature_distance: float  # of the square around the face, see FeatureDistance
    landmark_px: float  # found again in the picture, at 512 pixels
    identity: float  # cosine to the real frame
    flicker: float  # liveliness over the real clip's: 1 lives as the real face does
    lip_r: float  # Pearson of the lip gap with the real one's
    eye_r: float


@dataclass(frozen=True, slots=True)
class Reenactment:
    """One clip, every variant of it, and its stages' times."""

    name: str
    scores: dict[str, Score]
    stage_ms: dict[str, float]
    source: Image
    real: list[Image]  # [T] frames as the portrait frames them
    rendered: dict[str, list[Image]]
    real_meshes: FloatArray  # [T, L, 3] in frame pixels

    def without_pictures(self) -> "Reenactment":
        """The figures alone: all clips' frames would not fit into memory."""
        return replace(self, real=[], rendered={})


def reenact(renderer: LiteRenderer, clip: Clip, judges: Judges, stride: int) -> Reenactment:
    """Move the clip's first frame as the rest moves, and compare. Networks and SSIM look at every
    ``stride``-th frame. Raises PortraitError when the first frame is no portrait."""
    clock: dict[str, list[float]] = defaultdict(list)
    with _timed(clock["prepare"]):
        portrait = renderer.prepare(clip.frames[0])
    driven = driver_motion(clip.meshes, relative=True, source=portrait.source)
    moved = renderer.drive(portrait, driven)[1:]
    with _timed(clock["drive"]):
        renderer.drive(portrait, driven[:1])
    real = _as_framed(clip, judges.faces)
    source, real = real[0], real[1:]
    rendered = {
        STATIC: [source] * len(real),
        WARP: _drawn(renderer, portrait, moved, ("warp",)),
        FULL: _drawn(renderer, portrait, moved, tuple(renderer.stages), clock),
    }
    meshes, found = found_meshes(real, judges.faces)
    scores = {
        name: _score(frames, real, meshes, found, judges, stride)
        for name, frames in rendered.items()
    }
    stage_ms = {name: 1000 * float(np.median(times)) for name, times in clock.items()}
    return Reenactment(clip.name, scores, stage_ms, source, real, rendered, meshes)


def _as_framed(clip: Clip, detector: FaceDetector) -> list[Image]:
    """Every frame of the clip, cut as the first one's portrait is."""
    face = choose_face(detector.detect(clip.frames[0]))
    return [crop_face(frame, face, PORTRAIT).frame for frame in clip.frames]


def _drawn(
    renderer: LiteRenderer,
    portrait: LitePortrait,
    motion: Motion,
    stages: Sequence[str],
    clock: dict[str, list[float]] | None = None,
) -> list[Image]:
    """Frames [T] with some of the renderer's stages; the seconds of each go into ``clock``."""
    import cv2

    clock = defaultdict(list) if clock is None else clock
    frames = []
    for index in range(len(motion)):
        frame = np.empty((SIDE_PX, SIDE_PX, 3), np.uint8)
        with _timed(clock["move"]):
            moved = renderer.move(portrait, motion[index : index + 1])
        for name in stages:
            with _timed(clock[name]):
                renderer.stages[name](frame, portrait, moved)
        with _timed(clock["to YUV"]):
            cv2.cvtColor(frame, cv2.COLOR_RGB2YUV_I420)
        frames.append(frame)
    return frames


@contextmanager
def _timed(seconds: list[float]) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds.append(time.perf_counter() - started)


def _score(
    frames: list[Image],
    real: list[Image],
    meshes: FloatArray,
    found: AnyArray,
    judges: Judges,
    stride: int,
) -> Score:
    still = all(frame is frames[0] for frame in frames)
    own, own_found = found_meshes(frames[:1] if still else frames, judges.faces)
    if still:
        own, own_found = np.repeat(own, len(real), 0), np.repeat(own_found, len(real))
    seen = np.flatnonzero(found & own_found)
    looked_at = seen[::stride]
    likes = [likeness(frames[at], real[at], meshes[at]) for at in looked_at]
    distances, identities = [], []
    for at in looked_at:
        square = face_square(meshes[at], SIDE_PX)
        distances.append(judges.features(frames[at][square], real[at][square]))
        rendered_one = judges.identity.describe(frames[at], own[at])
        identities.append(float(rendered_one @ judges.identity.describe(real[at], meshes[at])))
    return Score(
        l1=_mean([like.l1 for like in likes]),
        ssim=_mean([like.ssim for like in likes]),
        feature_distance=_mean(distances),
        landmark_px=_mean([landmark_error_px(own[at], meshes[at]) for at in seen]),
        identity=_mean(identities),
        flicker=liveliness(frames, own) / max(liveliness(real, meshes), 1e-6),
        lip_r=pearson(lip_gap(own[seen]), lip_gap(meshes[seen])),
        eye_r=eye_r(own[seen], meshes[seen]),
    )


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
