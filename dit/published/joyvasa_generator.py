"""JoyVASA behind the interface of ``dit/generator.py``: voice in, motion of a portrait out."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dit.compose import EASE_FRAMES, ease_mouth
from dit.controls import MotionControls
from dit.layout import FACE_PARTS
from dit.published.absolute_lips import controlled, since
from dit.published.joyvasa_checkpoint import JoyvasaCheckpoint, load_joyvasa
from dit.published.joyvasa_template import with_smooth_pose
from dit.published.joyvasa_vectors import GRID_FRAMES, HISTORY_FRAMES, Mode, VectorStream
from dit.published.joyvasa_windows import JoyvasaSampling, JoyvasaWindows, SeededNoise, WindowNoise
from dit.voice_stream import VoiceStream
from models.device import DevicePolicy
from models.motion import Motion, concatenate, rest
from models.shapes import FloatArray
from models.timing import DEFAULT_HOP_FRAMES


class JoyvasaGenerator:
    """The published network on a device: starts streams. One at a time may run."""

    engine = "liveportrait"  # whose motion it makes

    def __init__(
        self,
        checkpoint: JoyvasaCheckpoint,
        policy: DevicePolicy,
        sampling: JoyvasaSampling | None = None,
    ) -> None:
        self.windows = JoyvasaWindows(checkpoint, policy, sampling or JoyvasaSampling())

    @classmethod
    def load(
        cls, directory: Path, policy: DevicePolicy, sampling: JoyvasaSampling | None = None
    ) -> "JoyvasaGenerator":
        """A folder laid out as published. Raises MissingWeightsError, ChecksumError,
        WeightsError."""
        return cls(load_joyvasa(directory), policy, sampling)

    def start(
        self,
        *,
        mode: Mode,
        seed: int,
        controls: MotionControls | None = None,
        hop_frames: int = DEFAULT_HOP_FRAMES,
        noise: WindowNoise | None = None,
    ) -> "JoyvasaStream":
        """A new voice; ``noise`` in place of the seed's. Raises ConfigError for an unknown mode or
        a hop that does not fit."""
        vectors = VectorStream(self.windows, mode, noise or SeededNoise(seed), hop_frames)
        return JoyvasaStream(self.windows, vectors, seed, controls or MotionControls())


@dataclass
class _Past:
    """What was made of the frames so far; ``first`` is the number of the first one kept."""

    first: int
    made: Motion  # as the motion extractor would measure it
    shown: Motion


class JoyvasaStream(VoiceStream):
    """One voice's motion (see ``dit.generator.MotionStream``). Lips absolute, the rest relative to
    the voice's first frame (``absolute_lips.py``)."""

    def __init__(
        self, windows: JoyvasaWindows, vectors: VectorStream, seed: int, controls: MotionControls
    ) -> None:
        super().__init__(controls)
        self.seed = seed
        self._template = windows.template
        self._smooth_pose = windows.sampling.smooth_pose
        self._vectors = vectors
        self._past = _Past(0, rest(0), rest(0))
        self._first: Motion | None = None  # frame 0, what change is counted from

    @property
    def committed_frames(self) -> int:
        """Frames given out so far."""
        return self._vectors.committed_frames

    @property
    def grid_frames(self) -> int:
        """``rewind`` goes to multiples of this."""
        return GRID_FRAMES

    @property
    def delay_frames(self) -> int:
        """Frames of voice beyond its own end that a frame may wait for, at worst."""
        return self._vectors.delay_frames

    def _hear(self, samples: FloatArray) -> Motion:
        return self._shown(self._vectors.push(samples))

    def _hear_the_end(self) -> Motion:
        return self._shown(self._vectors.finish())

    def _go_back(self, frame: int) -> None:
        self._vectors.rewind(frame)
        kept, past = max(0, frame - self._past.first), self._past
        self._past = _Past(past.first, past.made[:kept], past.shown[:kept])
        if frame == 0:
            self._first = None

    def _given_out(self) -> Motion:
        return self._past.shown

    def _shown(self, vectors: FloatArray) -> Motion:
        """New network frames [T, 73] -> what is shown."""
        if not len(vectors):
            return rest(0)
        past, template = self._past, self._template
        start = past.first + len(past.made)
        made = template.motion(vectors)
        if self._smooth_pose:
            made = with_smooth_pose(made, past.made[-1:] if len(past.made) else None)
        if self._first is None:
            self._first = made[:1]
        frames = np.arange(start, start + len(made))
        change, levels = since(self._first, made), self._controls.levels(frames)
        shown = controlled(change, frames, levels, template.mean_expression, self.seed)
        if self._ease is not None and start < self._ease[0] + EASE_FRAMES:
            first, held = self._ease
            shown = ease_mouth(shown, held, start - first, FACE_PARTS["liveportrait"])
        self._past = _Past(
            past.first, concatenate([past.made, made]), concatenate([past.shown, shown])
        )
        self._forget()
        return shown

    def _forget(self) -> None:
        drop = len(self._past.made) - HISTORY_FRAMES
        if drop >= HISTORY_FRAMES // 4:
            past = self._past
            self._past = _Past(past.first + drop, past.made[drop:], past.shown[drop:])
            self._controls.forget(self._past.first)
