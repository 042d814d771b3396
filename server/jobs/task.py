"""What a job is: a picklable task that runs in a process of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

Report = Callable[[int, int, str], None]
"""Steps done, steps in all (0: not known), what is being done."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Files that a job made, and a sentence about it."""

    files: tuple[Path, ...]
    summary: str


class Task(Protocol):
    """Picklable. ``run`` raises VisavisError for what people can mend."""

    keeps_process: ClassVar[bool]
    """Whether the next task may find its process, with what it has loaded, still there."""

    def run(self, report: Report) -> Outcome:
        """Does the work; calls ``report`` as it goes."""
        ...


def rendered(frames: int, seconds: float) -> str:
    """The sentence about a video."""
    return f"{frames} frames in {seconds:.1f} s"
