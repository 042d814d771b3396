"""Silero's voice activity network (MIT), as its package ships it, through ONNX Runtime.

Importing the package itself would load PyTorch and set its threads; only the file is wanted.
"""

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from models.errors import MissingWeightsError
from models.shapes import FloatArray

WINDOW_SAMPLES = 512  # at 16 kHz: 32 ms
_CONTEXT_SAMPLES = 64  # of the window before, which the network hears again
_FILE = Path("data") / "silero_vad_op18_ifless.onnx"


class ActivityModel:
    """One microphone's state of the network; the network itself is shared."""

    def __init__(self) -> None:
        self._session = load_network()
        self.reset()

    def reset(self) -> None:
        """Forget what was heard."""
        self._state: FloatArray = np.zeros((2, 1, 128), np.float32)
        self._context: FloatArray = np.zeros(_CONTEXT_SAMPLES, np.float32)

    def probability(self, window: FloatArray) -> float:
        """How likely somebody speaks in the next window [512] at 16 kHz, in [0, 1]."""
        heard = np.concatenate([self._context, window])[None]
        self._context = window[-_CONTEXT_SAMPLES:]
        chance, self._state = self._session.run(
            None, {"input": heard, "state": self._state, "sr": np.array(16_000, np.int64)}
        )
        return float(chance[0, 0])


@cache
def load_network() -> Any:
    """The shared network; the first call takes a moment, and belongs into a thread.

    Raises MissingWeightsError.
    """
    import onnxruntime

    onnxruntime.disable_telemetry_events()  # it would tell its maker
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        str(_weights()), options, providers=["CPUExecutionProvider"]
    )


def _weights() -> Path:
    spec = importlib.util.find_spec("silero_vad")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (file := Path(folder) / _FILE).is_file():
            return file
    raise MissingWeightsError(
        f"hearing who speaks needs {_FILE.name} of the package silero-vad: pip install ."
    )
