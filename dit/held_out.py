"""The splits of ``models.held_out``, which the picture's evaluation shares."""

from models.held_out import SPLITS, TALKING_CLIPS, Split, Splits, is_held_out, split_of

__all__ = ["SPLITS", "TALKING_CLIPS", "Split", "Splits", "is_held_out", "split_of"]
