"""The teacher of the default speech encoder: moonshine-tiny's encoder (MIT), run by onnxruntime.

Source: "Moonshine: Speech Recognition for Live Transcription and Voice Commands" (arXiv 2410.15608)
and the weights in the package ``moonshine-voice`` 0.1.0. It is needed for training alone.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.errors import MissingWeightsError
from models.shapes import AnyArray, FloatArray

TEACHER_STRIDE = 384  # samples per state: 41.67 Hz
TEACHER_FIELD = 895  # samples that one state's convolutions see
STUDENT_STRIDE = 320  # samples per state: 50 Hz


class Teacher:
    """Voice -> moonshine's states.

    Raises MissingWeightsError when the package is not installed.
    """

    dim = 288

    def __init__(self, threads: int = 1) -> None:
        try:
            import moonshine_voice
        except ImportError as error:
            raise MissingWeightsError(
                "distillation needs the package moonshine-voice: pip install '.[train]'"
            ) from error
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        path = Path(moonshine_voice.__file__).parent / "assets/tiny-en/encoder_model.ort"
        self._session: Any = onnxruntime.InferenceSession(str(path), options)

    def states(self, wave: FloatArray) -> FloatArray:
        """Voice [N] -> states [S', D] at 41.67 Hz; state j is centred on sample 384 j + 447."""
        mask = np.ones((1, len(wave)), np.int64)
        states: FloatArray = self._session.run(
            None, {"input_values": wave[None].astype(np.float32), "attention_mask": mask}
        )[0][0]
        return states

    def at(self, wave: FloatArray, centres: AnyArray) -> FloatArray:
        """States [S, D] interpolated linearly at these sample numbers [S]."""
        states = self.states(wave)
        place = (centres - (TEACHER_FIELD - 1) / 2) / TEACHER_STRIDE
        place = np.clip(place, 0, len(states) - 1)
        low = np.floor(place).astype(np.int64)
        high = np.minimum(low + 1, len(states) - 1)
        share = (place - low).astype(np.float32)[:, None]
        return np.asarray(states[low] * (1 - share) + states[high] * share, np.float32)


@dataclass(frozen=True, slots=True)
class TeacherSpace:
    """The teacher's main directions: what the student has to reproduce.

    The small ones hold the speaker and the words; leaving them out is what generalises.
    """

    mean: FloatArray  # [288]
    basis: FloatArray  # [288, C], largest variance first, units of every channel's own spread

    def project(self, states: FloatArray) -> FloatArray:
        """States [S, 288] -> targets [S, C]."""
        return np.asarray((states - self.mean) @ self.basis, np.float32)


def fit_space(states: FloatArray, components: int) -> TeacherSpace:
    """Principal directions of states [S, 288] whose channels are standardised first.

    A direction's target has the square root of its standard deviation: neither do the first few
    drown the others, nor does the noise of the last ones count like speech. Their mean square is 1.
    """
    mean = states.mean(0, dtype=np.float64)
    spread = states.std(0, dtype=np.float64) + 1e-6
    centred = (states - mean) / spread
    variances, vectors = np.linalg.eigh(centred.T @ centred / len(states))
    deviation = np.sqrt(np.maximum(variances[::-1][:components], 1e-9))
    basis = vectors[:, ::-1][:, :components] / np.sqrt(deviation)
    basis /= np.sqrt(deviation.mean())
    return TeacherSpace(mean.astype(np.float32), (basis / spread[:, None]).astype(np.float32))
