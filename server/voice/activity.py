"""Is somebody speaking into the microphone? Heard 20 ms at a time, decided with hysteresis."""

import numpy as np

from models.shapes import FloatArray, PcmArray
from server.voice.activity_model import WINDOW_SAMPLES, ActivityModel
from server.voice.downsample import FACTOR, MARGIN_SAMPLES, encoder_block
from server.voice.media_time import from_ms

BEGIN_PROBABILITY = 0.5
HOLD_PROBABILITY = 0.35
BEGIN_WINDOWS = 3  # in a row: longer than a click or a clap
BEGIN_MS = BEGIN_WINDOWS * 32
HANGOVER_WINDOWS = 13  # 416 ms: pauses between words are not the end
PRE_ROLL_SAMPLES = from_ms(64)  # a word begins more quietly than the network notices
_WINDOW = WINDOW_SAMPLES * FACTOR  # at 48 kHz


class VoiceActivity:
    """``speaking`` is the verdict, ``voiced`` that of the last window alone. 48 kHz throughout."""

    def __init__(self) -> None:
        self._model = ActivityModel()
        self.reset()

    def reset(self) -> None:
        """The microphone is gone, or another one comes."""
        self.speaking = False
        self.voiced = False
        self._model.reset()
        self._past: PcmArray = np.zeros(2 * MARGIN_SAMPLES, np.int16)
        self._unheard: FloatArray = np.zeros(0, np.float32)  # less than a window, at 16 kHz
        self._voiced_windows = 0
        self._quiet_windows = 0

    def push(self, packet: PcmArray) -> bool:
        """One packet [960] -> whether somebody is speaking at its end."""
        voice = np.concatenate([self._past, packet])
        self._past = voice[-2 * MARGIN_SAMPLES :]
        self._unheard = np.concatenate([self._unheard, encoder_block(voice)])
        while len(self._unheard) >= WINDOW_SAMPLES:
            self._judge(self._model.probability(self._unheard[:WINDOW_SAMPLES]))
            self._unheard = self._unheard[WINDOW_SAMPLES:]
        return self.speaking

    @property
    def since_onset(self) -> int:
        """Samples from the first sound of what is being said to the newest sample; ask when
        ``speaking`` has just become true."""
        return self._voiced_windows * _WINDOW + PRE_ROLL_SAMPLES + self._behind

    @property
    def since_voice(self) -> int:
        """Samples from the last voiced window to the newest sample."""
        return self._quiet_windows * _WINDOW + self._behind

    @property
    def _behind(self) -> int:
        return len(self._unheard) * FACTOR + MARGIN_SAMPLES

    def _judge(self, probability: float) -> None:
        self.voiced = probability >= (HOLD_PROBABILITY if self.speaking else BEGIN_PROBABILITY)
        if self.voiced:
            self._voiced_windows += 1
            self._quiet_windows = 0
        else:
            self._voiced_windows = 0
            self._quiet_windows += 1
        if self._voiced_windows >= BEGIN_WINDOWS:
            self.speaking = True
        elif self._quiet_windows >= HANGOVER_WINDOWS:
            self.speaking = False
