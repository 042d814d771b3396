"""Speech with known phonemes -> motion that fits it: training pairs by the hour.

The mouth comes from ``dit/articulation.py``, turned into keypoints by directions that are measured
on the real training clips. Head, eyes and brows are borrowed from those clips as they are.
"""

from dataclasses import dataclass

import numpy as np

from dit.articulation import ARTICULATORS, Style, articulate
from dit.layout import FACE_PARTS
from dit.speech_phonemes import PhonemeTimes
from models.motion import Motion
from models.shapes import KEYPOINTS, FloatArray, IntArray
from models.timing import FPS

# places in the list of keypoints (models/face_keypoints.py)
_CORNERS, _UPPER, _LOWER, _CHIN = (0, 1), (2, 4), (3, 5), 10
_RIDGE = 10.0
RAMP_FRAMES = FPS  # a synthetic head leaves its rest within a second


@dataclass(frozen=True, slots=True)
class MouthBasis:
    """Directions [4, K, 3]: what one unit of each articulator moves; other keypoints stay."""

    directions: FloatArray

    def expression(
        self, articulators: FloatArray, shut: FloatArray, tucked: FloatArray
    ) -> FloatArray:
        """articulators: [T, 4]; shut, tucked: [T] -> exp [T, K, 3]."""
        exp: FloatArray = np.einsum("ta,akx->tkx", articulators, self.directions)
        # pressed lips get thinner; a tucked lower lip rises and goes back under the teeth
        exp[:, 2, 1] += 1.2 * shut
        exp[:, 3, 1] += -1.5 * shut - 2.0 * tucked
        exp[:, 3, 2] += 2.0 * tucked
        exp[:, 5, 2] += 2.0 * tucked
        return exp.astype(np.float32)


def articulators_of(exp: FloatArray) -> FloatArray:
    """The four articulators [T, 4] as they can be read off keypoints [T, K, 3]."""
    lips = exp[:, [*_UPPER, *_LOWER], 2].mean(1)
    return np.stack(
        [
            exp[:, _LOWER[1], 1] - exp[:, _UPPER[1], 1],
            exp[:, _CORNERS[1], 0] - exp[:, _CORNERS[0], 0],
            -lips,  # z points away from the camera
            exp[:, _CHIN, 1],
        ],
        1,
    )


def mouth_basis(expressions: list[FloatArray]) -> MouthBasis:
    """Ridge regression of keypoints on articulators over clips [T, K, 3], each less its median."""
    centred = np.concatenate([exp - np.median(exp, 0) for exp in expressions])
    read = articulators_of(centred)
    inner = read.T @ read + _RIDGE * np.eye(len(ARTICULATORS))
    directions = np.linalg.solve(inner, read.T @ centred.reshape(len(centred), -1))
    directions = directions.reshape(len(ARTICULATORS), KEYPOINTS, 3)
    still = [k for k in range(KEYPOINTS) if k not in FACE_PARTS["lite"].mouth]
    directions[:, still] = 0.0
    return MouthBasis(directions.astype(np.float32))


def synthetic_motion(
    times: PhonemeTimes,
    loudness_db: FloatArray,
    style: Style,
    basis: MouthBasis,
    body: Motion,
    rng: np.random.Generator,
    measured: FloatArray | None = None,
) -> Motion:
    """Motion [T] for speech of T frames; ``body`` is a real clip's motion of any length.

    ``measured``: see ``articulate``.
    """
    count = len(loudness_db)
    tracks = articulate(times, loudness_db, style, measured)
    moved = tracks.articulators * (1.0 + _wander(count, 4, 8, 0.10, rng))
    exp = basis.expression(moved, tracks.shut, tracks.tucked)
    borrowed = body_at(body, there_and_back(len(body), count, rng))
    mouth = list(FACE_PARTS["lite"].mouth)
    rest_of_face = borrowed.exp - np.median(borrowed.exp, 0)
    rest_of_face[:, mouth] = exp[:, mouth]
    way = np.clip(np.arange(count) / RAMP_FRAMES, 0, 1)
    ramp = (way**2 * (3 - 2 * way)).astype(np.float32)
    return Motion(
        borrowed.pitch * ramp,
        borrowed.yaw * ramp,
        borrowed.roll * ramp,
        borrowed.t * ramp[:, None],
        np.exp(np.log(borrowed.scale) * ramp).astype(np.float32),
        rest_of_face.astype(np.float32),
    )


def body_at(body: Motion, frames: IntArray) -> Motion:
    """A motion at chosen frames [T]."""
    at = frames
    return Motion(
        body.pitch[at], body.yaw[at], body.roll[at], body.t[at], body.scale[at], body.exp[at]
    )


def there_and_back(length: int, count: int, rng: np.random.Generator) -> IntArray:
    """``count`` frame numbers below ``length`` that run forwards and backwards without a jump."""
    period = max(1, 2 * (length - 1))
    place = (int(rng.integers(period)) + np.arange(count)) % period
    return np.minimum(place, period - place) if length > 1 else np.zeros(count, np.int64)


def _wander(
    count: int, channels: int, step: int, spread: float, rng: np.random.Generator
) -> FloatArray:
    """Slow noise [count, channels]: knots every ``step`` frames, joined by lines."""
    knots = rng.normal(0.0, spread, (count // step + 2, channels))
    at = np.arange(count) / step
    low = at.astype(np.int64)
    share = (at - low)[:, None]
    return np.asarray((1 - share) * knots[low] + share * knots[low + 1], np.float32)
