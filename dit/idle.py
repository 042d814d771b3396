"""Motion that no voice asks for: breathing, small movement of head and gaze.

Everything is a function of the frame's number and the session's seed. There is no state, so nothing
drifts, windows of any size give the same motion, and a rewound stream goes on where it was.
"""

import numpy as np

from dit.layout import FaceParts
from dit.seeded import uniform
from models.motion import Motion, rest, rotation_matrix
from models.shapes import AnyArray, FloatArray, IntArray
from models.timing import FPS

GAZE_BLOCK_FRAMES = 35  # one glance in each
GLANCE_FRAMES = 2  # a saccade of a few degrees takes 30 to 50 ms
GLANCE_UNITS = (1.6, 0.7)  # most the iris wanders, sideways and up or down
NECK_UNITS = np.array((0.0, 120.0, 60.0))  # below and behind the middle of the face
BREATHS_HZ = 0.23
# amplitude (degrees, canonical units) and the longest period in seconds of each slow movement
SWAYS = {
    "pitch": (0.9, 7.3),
    "yaw": (1.5, 11.9),
    "roll": (0.7, 13.7),
    "x": (0.9, 12.7),
    "y": (0.6, 9.1),
}


def idle_pose(frames: IntArray, seed: int) -> Motion:
    """Head of somebody who sits and listens, at absolute ``frames`` [T]; relative motion."""
    motion = rest(len(frames))
    at_s = (frames / FPS).astype(np.float64)
    breath = np.sin(2 * np.pi * BREATHS_HZ * at_s + uniform(seed, 1) * 2 * np.pi)
    sway = {name: _sway(at_s, seed, name) for name in SWAYS}
    pitch = (sway["pitch"] - 0.25 * breath).astype(np.float32)
    shift = np.stack([sway["x"], sway["y"] - 0.5 * breath, np.zeros_like(at_s)], 1)
    # a head turns about its neck, not about the middle of its face
    shift += NECK_UNITS - NECK_UNITS @ rotation_matrix(pitch, sway["yaw"], sway["roll"])
    return Motion(
        pitch,
        sway["yaw"],
        sway["roll"],
        shift.astype(np.float32),
        (1 + 0.0015 * breath).astype(np.float32),
        motion.exp,
    )


def gaze_shift(frames: IntArray, seed: int) -> FloatArray:
    """Where the irises are off the camera [T, 2], canonical units: right and down."""
    blocks = frames // GAZE_BLOCK_FRAMES
    shift = np.zeros((len(frames), 2), np.float32)
    for block in np.unique(blocks):
        inside = blocks == block
        start = block * GAZE_BLOCK_FRAMES + int(
            uniform(seed, 3, int(block)) * (GAZE_BLOCK_FRAMES - GLANCE_FRAMES)
        )
        share = np.clip((frames[inside] - start + 1) / GLANCE_FRAMES, 0, 1)[:, None]
        shift[inside] = (1 - share) * _glance(seed, block - 1) + share * _glance(seed, block)
    return shift


def add_eyes(exp: FloatArray, closure: FloatArray, gaze: FloatArray, parts: FaceParts) -> None:
    """Put blinks [T] and gaze [T, 2] into ``exp`` [T, K, 3], in place.

    An engine whose eye points have no meaning of their own (no iris among them) is left alone:
    there the network brings the eyes.
    """
    if not parts.irises:
        return
    upper, lower = parts.lids[0::2], parts.lids[1::2]
    for lids, travel in ((upper, UPPER_LID_UNITS), (lower, LOWER_LID_UNITS)):
        for lid in lids:
            exp[:, lid, 1] += closure * travel + 0.25 * gaze[:, 1] * (1 - closure)
    for iris in parts.irises:
        exp[:, iris, :2] += gaze


# what a blink moves in canonical units: the upper lid 88 % of an open eye's gap, the lower 12 %
EYE_GAP_UNITS = 12.0
UPPER_LID_UNITS = 0.88 * EYE_GAP_UNITS
LOWER_LID_UNITS = -0.12 * EYE_GAP_UNITS


def _sway(at_s: AnyArray, seed: int, name: str) -> FloatArray:
    """Three slow waves with no common period."""
    amplitude, period_s = SWAYS[name]
    salt = 10 + list(SWAYS).index(name)
    total = np.zeros(len(at_s))
    for index, (share, ratio) in enumerate(((0.5, 1.0), (0.3, 1.618), (0.2, 2.718))):
        phase = 2 * np.pi * uniform(seed, salt, index)
        total += share * np.sin(2 * np.pi * ratio / period_s * at_s + phase)
    return (amplitude * total).astype(np.float32)


def _glance(seed: int, block: int) -> FloatArray:
    """A target [2]; two times out of five straight at the camera."""
    if uniform(seed, 4, block) < 0.4:
        return np.zeros(2, np.float32)
    side, height = 2 * uniform(seed, 5, block) - 1, 2 * uniform(seed, 6, block) - 1
    return np.array((GLANCE_UNITS[0] * side, GLANCE_UNITS[1] * height), np.float32)
