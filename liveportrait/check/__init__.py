"""Does it hold on this GPU? One command for a bare machine: torch, NumPy and this checkout."""

from liveportrait.check.command import main

__all__ = ["main"]
