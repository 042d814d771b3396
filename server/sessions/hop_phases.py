"""Sessions begin a little apart, so that the engine does not get all their hops at once.

A live session's motion is due every hop (200 ms). Two sessions whose clocks run in step ask for it
in the same moment, again and again, and the later one's pictures come late; half a hop apart both
are in time.
"""

from dataclasses import dataclass, field

STEP_S = 0.02


@dataclass(slots=True)
class HopPhases:
    """The places of running clocks within a hop of ``period_s`` seconds; 0: nothing is spread."""

    period_s: float = 0.0
    _starts: dict[int, float] = field(default_factory=dict)

    def wait_s(self, now_s: float) -> float:
        """How long a clock that could start now should wait: to the middle of the widest gap, or
        not at all when the place is as good."""
        if not self._starts or self.period_s <= 0:
            return 0.0
        waits = [step * STEP_S for step in range(round(self.period_s / STEP_S))]
        return max(waits, key=lambda wait: (round(self._room_s(now_s + wait), 6), -wait))

    def put(self, clock: object, start_s: float) -> None:
        """This clock has started, or started anew, at ``start_s``."""
        self._starts[id(clock)] = start_s

    def take_away(self, clock: object) -> None:
        """This clock has ended."""
        self._starts.pop(id(clock), None)

    def _room_s(self, start_s: float) -> float:
        """From a start to the nearest hop of another clock."""
        apart = [(start_s - other) % self.period_s for other in self._starts.values()]
        return min(min(gap, self.period_s - gap) for gap in apart)
