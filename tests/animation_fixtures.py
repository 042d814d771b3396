"""Sources, drivers and small networks on which the official keypoint algebra was run."""

from dataclasses import fields
from functools import cache
from typing import Any

import numpy as np

from liveportrait.animation.driving import SourceMotion
from liveportrait.animation.keypoints import KeypointInfo
from liveportrait.animation.motion_template import MotionTemplate
from liveportrait.animation.options import OFFICIAL_NAMES, AnimationOptions
from liveportrait.animation.retargeters import TorchRetargeters
from liveportrait.networks.retargeting import RetargetingNetworks
from liveportrait.networks.seeded import seed_weights
from models.shapes import AnyArray, FloatArray
from tests.liveportrait_fixtures import golden_arrays

KEYPOINT_LIMIT = 2e-5  # of the golden README, for x_d


@cache
def seeded_retargeters() -> TorchRetargeters:
    """The three small networks alone, with the recipe's weights."""
    networks = RetargetingNetworks().eval().requires_grad_(False)
    for tag in ("stitching", "lip", "eye"):
        seed_weights(getattr(networks, tag), tag)
    return TorchRetargeters(networks)


def golden_info(kind: str) -> KeypointInfo:
    """``image`` or ``video`` of source_info.npz."""
    arrays = golden_arrays("source_info")
    tails: dict[str, tuple[int, ...]] = {
        "pitch": (),
        "yaw": (),
        "roll": (),
        "t": (3,),
        "exp": (21, 3),
        "scale": (),
        "kp": (21, 3),
    }
    frames = len(arrays[f"{kind}_kp"])
    return KeypointInfo(**{n: arrays[f"{kind}_{n}"].reshape(frames, *s) for n, s in tails.items()})


def image_source() -> SourceMotion:
    landmarks: FloatArray = golden_arrays("landmarks")["pt203_up"][None]
    return SourceMotion(golden_info("image"), landmarks)


def video_source() -> SourceMotion:
    landmarks: FloatArray = golden_arrays("pipeline")["video_source_landmarks"]
    return SourceMotion(golden_info("video"), landmarks)


def golden_template() -> MotionTemplate:
    """The 12 driving frames."""
    arrays = golden_arrays("motion_template")
    return MotionTemplate(
        fps=float(arrays["output_fps"]),
        scale=arrays["scale"].reshape(-1),
        rotation=arrays["R"][:, 0],
        exp=arrays["exp"][:, 0],
        t=arrays["t"][:, 0],
        eye_ratios=arrays["c_eyes"][:, 0],
        lip_ratios=arrays["c_lip"][:, 0],
    )


def single_frame_template() -> MotionTemplate:
    frame = int(golden_arrays("motion_template")["single_frame_index"])
    return golden_template()[frame : frame + 1]


def options_of(overrides: dict[str, Any]) -> AnimationOptions:
    """Options from official names."""
    ours = {official: name for name, official in OFFICIAL_NAMES.items()}
    return AnimationOptions(**{ours[name]: value for name, value in overrides.items()})


def furthest(left: AnyArray, right: AnyArray) -> float:
    """The largest difference; shapes must be equal."""
    assert left.shape == right.shape
    return float(np.abs(np.asarray(left, np.float64) - np.asarray(right, np.float64)).max())


def same_template(one: MotionTemplate, other: MotionTemplate) -> bool:
    """Whether two templates are equal, bit by bit."""
    pairs = [(getattr(one, field.name), getattr(other, field.name)) for field in fields(one)]
    return all((a is None and b is None) or np.array_equal(a, b) for a, b in pairs)
