"""What all streams of motion have in common: the controls, what they take as a voice, how they are
interrupted."""

from abc import ABC, abstractmethod

import numpy as np

from dit.controls import ControlTimeline, MotionControls
from models.motion import Motion, rest
from models.shapes import FloatArray


class VoiceStream(ABC):
    """Voice in, in packets of any size; motion out. Not safe to call from two threads at once."""

    def __init__(self, controls: MotionControls) -> None:
        self.hurried = False  # plan as cheaply as can be, where there is a choice
        self.features_s = 0.0  # wall time that the speech encoder took so far, where it is apart
        self._controls = ControlTimeline(controls)
        self._ease: tuple[int, Motion] | None = None  # first frame of an easing, what it leaves
        self._finished = False

    @property
    def controls(self) -> MotionControls:
        """What the user asked for last. A change eases in from the next frame on."""
        return self._controls.latest

    @controls.setter
    def controls(self, controls: MotionControls) -> None:
        self._controls.change(self.committed_frames, controls)

    @property
    @abstractmethod
    def committed_frames(self) -> int:
        """Frames given out so far."""

    @property
    @abstractmethod
    def grid_frames(self) -> int:
        """``rewind`` goes to multiples of this."""

    @property
    @abstractmethod
    def delay_frames(self) -> int:
        """Frames of voice beyond its own end that a frame may wait for, at worst."""

    def push(self, samples: FloatArray) -> Motion:
        """More voice [n] at 16 kHz -> the frames it completed, often none.

        Raises ValueError after ``finish``, and for anything but one channel of float32.
        """
        if self._finished:
            raise ValueError("the voice is over; start a new stream")
        if samples.ndim != 1 or samples.dtype != np.float32:
            raise ValueError(f"voice is float32 [n], not {samples.dtype} {samples.shape}")
        return self._hear(samples)

    def finish(self) -> Motion:
        """The voice is over: the frames that are left, ceil(samples / 640) in all."""
        if self._finished:
            return rest(0)
        self._finished = True
        return self._hear_the_end()

    def rewind(self, frame: int) -> None:
        """Forget voice and motion from ``frame`` on and go on from the frames before it.

        ``frame`` is a multiple of ``grid_frames``, within the last 30 s of motion and not
        beyond the end of the voice. Raises ValueError elsewhere.
        """
        self._go_back(frame)
        self._finished = False
        if self._ease is not None and self._ease[0] >= frame:
            self._ease = None

    def interrupt(self, frame: int) -> None:
        """``rewind``, and mouth and brows ease into what follows within 5 frames.

        Raises as ``rewind``, and ValueError when ``frame`` was not given out yet.
        """
        if frame > self.committed_frames:
            raise ValueError(
                f"cannot interrupt at frame {frame}; accepted: up to {self.committed_frames}"
            )
        self.rewind(frame)
        given = self._given_out()
        if len(given):
            self._ease = (frame, given[-1:])

    @abstractmethod
    def _hear(self, samples: FloatArray) -> Motion:
        """``push`` of samples that are a voice."""

    @abstractmethod
    def _hear_the_end(self) -> Motion:
        """``finish``, once."""

    @abstractmethod
    def _go_back(self, frame: int) -> None:
        """``rewind`` of voice and motion; raises before anything is changed."""

    @abstractmethod
    def _given_out(self) -> Motion:
        """The motion shown so far, as far back as it is kept."""
