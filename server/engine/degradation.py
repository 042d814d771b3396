"""What the worker does without when the machine falls behind, and when it takes it up again.

Lag is the share of pictures that were not there in time, over windows of a second and all
sessions together. Two of three windows above the next step's limit are one step down this ladder; a
single hiccup is not:

    none                all there is
    no_idle_refinement  who neither speaks nor is spoken through moves with one sampling step, and
                        is drawn 12.5 times a second
    lower_rate          everybody is drawn 12.5 times a second; sound and clock go on as before.
                        A few late pictures are less than half of them, so its limit is higher

A step up takes several windows in a row without a late picture and with the worker idle for a good
part of them. A step up that had to be taken back soon doubles how many.
"""

from collections import deque
from dataclasses import dataclass
from typing import Literal, get_args

Degradation = Literal["none", "no_idle_refinement", "lower_rate"]
LADDER: tuple[Degradation, ...] = get_args(Degradation)

WINDOW_S = 1.0
# of the pictures due, to go on to a step
LATE_SHARES: dict[Degradation, float] = {"no_idle_refinement": 0.08, "lower_rate": 0.24}
WATCHED_WINDOWS = 3  # of which two above the limit are too many
FEWEST_DUE = 5  # in a window, to say anything
CALM_WINDOWS = 5
MOST_CALM_WINDOWS = 60
RELAPSE_WINDOWS = 10  # a step down within so many windows of a step up is a relapse
BUSY_SHARE = 0.75  # of the worker's time; above it more work would not fit


@dataclass(slots=True)
class _Window:
    """What was seen since the last advance."""

    due: int = 0
    late: int = 0
    busy_s: float = 0.0


class DegradationLadder:
    """Counts what is due and late; ``advance`` decides once a window."""

    def __init__(self, now_s: float) -> None:
        self._place = 0  # in LADDER
        self._window = _Window()
        self._began_s = now_s
        self._lagged: deque[bool] = deque(maxlen=WATCHED_WINDOWS)
        self._calm_windows = 0
        self._wanted_calm = CALM_WINDOWS
        self._windows_since_up = MOST_CALM_WINDOWS

    @property
    def level(self) -> Degradation:
        """Where it stands."""
        return LADDER[self._place]

    def note_pictures(self, due: int, late: int) -> None:
        """So many pictures were due, and so many of them were not there."""
        self._window.due += due
        self._window.late += late

    def note_work(self, busy_s: float) -> None:
        """The worker worked so long."""
        self._window.busy_s += busy_s

    def advance(self, now_s: float) -> bool:
        """Close a window whose time is over; returns whether the level changed."""
        elapsed_s = now_s - self._began_s
        if elapsed_s < WINDOW_S:
            return False
        window, self._window, self._began_s = self._window, _Window(), now_s
        self._windows_since_up += 1
        if self._is_behind(window):
            self._step_down()
            return True
        calm = window.late == 0 and window.busy_s < BUSY_SHARE * elapsed_s
        self._calm_windows = self._calm_windows + 1 if calm else 0
        return self._calm_windows >= self._wanted_calm and self._step_up()

    def _is_behind(self, window: _Window) -> bool:
        if self._place == len(LADDER) - 1:
            return False
        limit = LATE_SHARES[LADDER[self._place + 1]] * window.due
        self._lagged.append(window.due >= FEWEST_DUE and window.late > limit)
        return self._lagged[-1] and sum(self._lagged) > 1

    def _step_down(self) -> None:
        self._calm_windows = 0
        self._lagged.clear()  # what follows is judged by itself
        if self._windows_since_up <= RELAPSE_WINDOWS:
            self._wanted_calm = min(2 * self._wanted_calm, MOST_CALM_WINDOWS)
        self._place += 1

    def _step_up(self) -> bool:
        self._calm_windows = 0
        if self._place == 0:
            self._wanted_calm = CALM_WINDOWS  # steady for long
            return False
        self._place -= 1
        self._windows_since_up = 0
        return True
