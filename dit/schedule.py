"""The course of a learning rate, the same for every training here."""

import math


def warmup_cosine(step: int, warmup_steps: int, steps: int, floor: float) -> float:
    """Share of the learning rate at a step: linear warm-up, then half a cosine to ``floor``."""
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    done = (step - warmup_steps) / max(1, steps - warmup_steps)
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
