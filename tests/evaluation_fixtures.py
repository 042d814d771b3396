"""Recordings with a known mouth, for the tests of the yardstick."""

import numpy as np

from dit.evaluation.recordings import Recording
from models.shapes import FloatArray
from models.speech import loudness_db
from models.timing import SAMPLES_PER_FRAME
from tests.dit_fixtures import babble
from tests.test_dit_layout import some_motion

FRAMES = 90


def face(opening: FloatArray) -> FloatArray:
    """Meshes [T, 478, 3] whose lips open and spread with ``opening`` [T], in pixels."""
    points = np.random.default_rng(0).uniform(100, 300, (1, 478, 3)).repeat(len(opening), 0)
    points[:, 33], points[:, 263] = (150, 180, 0), (250, 180, 0)
    points[:, 13], points[:, 14] = (200, 250, 0), (200, 250, 0)
    points[:, 61], points[:, 291] = (170, 250, 0), (230, 250, 0)
    points[:, 14, 1] += opening
    points[:, 291, 0] += 2 * opening
    return points.astype(np.float32)


def recording(name: str, seed: int, frames: int = FRAMES) -> Recording:
    """A clip whose lips follow its loudness, a little noise added."""
    wave = babble(frames / 25, seed)[: frames * SAMPLES_PER_FRAME]
    level = loudness_db(wave)[:frames]
    noise = np.random.default_rng(seed).standard_normal(frames)
    gap = ((level + 80 + 3 * noise) / 500).astype(np.float32)
    still = np.zeros(frames, np.float32)
    return Recording(name, wave, level, gap, 0.5 + gap, still, some_motion(frames, seed))
