"""What both engines hand to the writer."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from models.shapes import Image

Progress = Callable[[int, int], None]  # steps done, steps in all


@dataclass(frozen=True, slots=True)
class Animation:
    """Pictures that are made while they are taken."""

    fps: float
    frames: int
    size: tuple[int, int]  # width and height of a picture
    pictures: Iterator[Image]


@dataclass(slots=True)
class Steps:
    """Counts the steps of a job, whose phases correct how many are still to come."""

    report: Progress
    total: int = 0
    done: int = field(default=0, init=False)

    def expect(self, steps: int) -> None:
        """So many steps are still to come."""
        self.total = self.done + steps
        self.report(self.done, self.total)

    def advance(self, steps: int = 1) -> None:
        """Steps are done; more than were expected raise the total."""
        self.done += steps
        self.total = max(self.total, self.done)
        self.report(self.done, self.total)
