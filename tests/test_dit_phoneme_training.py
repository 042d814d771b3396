"""The phoneme head learns what separates phonemes, and the same settings give the same head."""

import numpy as np

from dit.phoneme_training import HeadTraining, accuracy, train_head
from dit.speech_phonemes import PHONEMES, PhonemeTimes
from models.shapes import FloatArray

SETTINGS = HeadTraining(hidden=16, passes=20, batch=64)


def spoken(seed: int) -> tuple[FloatArray, PhonemeTimes]:
    """Eight phonemes in turn, each 4 frames long, told by a sign pattern far from zero."""
    rng = np.random.default_rng(seed)
    chosen = rng.integers(0, 8, 50)
    ends = np.cumsum(np.full(50, 0.16)).astype(np.float32)
    starts = (ends - 0.16).astype(np.float32)
    times = PhonemeTimes(tuple(PHONEMES[c] for c in chosen), starts, ends)
    signs = np.array([[(c >> bit) % 2 for bit in range(3)] for c in range(8)]) * 2.0 - 1.0
    told = np.repeat(signs[chosen], 4, 0)
    noise = 0.2 * rng.standard_normal((200, 5))
    noise[:, :3] += told
    return (30 + 7 * noise).astype(np.float32), times


def test_unseen_frames_are_told_apart() -> None:
    head = train_head([spoken(i) for i in range(5)], SETTINGS)
    assert head.embedding_dim == 5
    assert accuracy(head, [spoken(9)]) > 0.9


def test_the_same_settings_give_the_same_head() -> None:
    one, two = (train_head([spoken(0)], SETTINGS).tensors() for _ in range(2))
    assert all((one[name] == two[name]).all() for name in one)
