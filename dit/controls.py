"""What a user may turn up and down while a face runs, and how a change eases in."""

from dataclasses import dataclass, fields

import numpy as np

from dit.moods import MOODS, NEUTRAL
from models.errors import ConfigError
from models.shapes import FloatArray, IntArray

EASE_CHANGE_FRAMES = 20  # 0.8 s: a face changes its mind, it does not jump
_LEVELS = ("head", "expression", "blink", "gaze")


@dataclass(frozen=True, slots=True)
class MotionControls:
    """How strongly each kind of movement shows; 1 is natural, 0 is none.

    ``mood`` is one of ``dit.moods.MOOD_NAMES``; engines without explicit face points show none.
    Raises ConfigError below 0, for values that are not finite, and for an unknown mood.
    """

    head: float = 1.0  # turns, nods, breathing
    expression: float = 1.0  # mouth, brows and cheeks as the voice moves them
    blink: float = 1.0  # how often: 2 is twice as many blinks a minute
    gaze: float = 1.0  # how far the eyes wander from the camera
    mood: str = NEUTRAL
    mood_strength: float = 1.0

    def __post_init__(self) -> None:
        for control in fields(self):
            value = getattr(self, control.name)
            if control.name != "mood" and not (np.isfinite(value) and value >= 0.0):
                raise ConfigError(f"motion.{control.name} is {value}; accepted: 0 and more")
        if self.mood != NEUTRAL and self.mood not in MOODS:
            names = ", ".join((NEUTRAL, *MOODS))
            raise ConfigError(f"motion.mood is {self.mood!r}; accepted: {names}")


@dataclass(frozen=True, slots=True)
class ControlLevels:
    """The controls of T frames, changes eased."""

    head: FloatArray  # [T]
    expression: FloatArray  # [T]
    blink: FloatArray  # [T]
    gaze: FloatArray  # [T]
    moods: FloatArray  # [T, moods], the weight of each of ``MOODS``


@dataclass(frozen=True, slots=True)
class _Change:
    frame: int
    before: FloatArray  # levels when it came, a change under way included
    after: FloatArray
    controls: MotionControls


class ControlTimeline:
    """Which controls held from which frame on. Rewound frames find the controls they had."""

    def __init__(self, controls: MotionControls) -> None:
        first = _vector(controls)
        self._changes = [_Change(0, first, first, controls)]

    @property
    def latest(self) -> MotionControls:
        """What was asked for last."""
        return self._changes[-1].controls

    def change(self, frame: int, controls: MotionControls) -> None:
        """Other controls from ``frame`` on; what was asked for later frames is forgotten."""
        after = _vector(controls)
        before = after if frame == 0 else self._at(np.array([frame - 1]))[0]
        self._changes = [c for c in self._changes if c.frame < frame]
        self._changes.append(_Change(frame, before, after, controls))

    def levels(self, frames: IntArray) -> ControlLevels:
        """The controls at ascending absolute ``frames`` [T]."""
        levels = self._at(frames)
        head, expression, blink, gaze = levels[:, : len(_LEVELS)].T
        return ControlLevels(head, expression, blink, gaze, levels[:, len(_LEVELS) :])

    def forget(self, frame: int) -> None:
        """Frames before ``frame`` will not be asked for again."""
        while len(self._changes) > 1 and self._changes[1].frame <= frame:
            del self._changes[0]

    def _at(self, frames: IntArray) -> FloatArray:
        """[T, levels + moods]."""
        starts = np.array([change.frame for change in self._changes])
        places = np.maximum(np.searchsorted(starts, frames, side="right") - 1, 0)
        before = np.stack([change.before for change in self._changes])[places]
        after = np.stack([change.after for change in self._changes])[places]
        way = np.clip((frames - starts[places] + 1) / EASE_CHANGE_FRAMES, 0.0, 1.0)
        share = (way**2 * (3 - 2 * way))[:, None]
        levels: FloatArray = (before + share * (after - before)).astype(np.float32)
        return levels


def _vector(controls: MotionControls) -> FloatArray:
    moods = [controls.mood_strength if controls.mood == name else 0.0 for name in MOODS]
    return np.array([*(getattr(controls, name) for name in _LEVELS), *moods], np.float32)
