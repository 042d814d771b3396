"""Whole people kept out of every training, for validation.

Clips are named ``SOURCE__NAME.mp4`` after the project they came from; a source shows its own
people, so leaving out a source leaves out its people.
"""

HELD_OUT_PREFIXES = ("LipNet__", "video-retalking__", "SadTalker__", "MimicTalk__")


def is_held_out(clip_name: str) -> bool:
    """Whether a clip (a file name, without folders) belongs to the people kept for validation."""
    return clip_name.startswith(HELD_OUT_PREFIXES)
