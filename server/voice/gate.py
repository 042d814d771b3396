"""Is somebody speaking into the microphone? A loudness gate with hangover, 20 ms at a time."""

import numpy as np

from models.shapes import PcmArray

OPEN_DBFS = -42.0
HOLD_DBFS = -48.0
OPEN_PACKETS = 2  # in a row before it counts as a voice: 40 ms, longer than a click
HANGOVER_PACKETS = 20  # 400 ms: pauses between words don't close the gate


def level_dbfs(pcm: PcmArray) -> float:
    """RMS level of [n] samples in dBFS, at least -96."""
    if len(pcm) == 0:
        return -96.0
    power = float(np.mean(np.square(pcm.astype(np.float32) / 32768.0)))
    return 10.0 * float(np.log10(max(power, 10.0**-9.6)))


class VoiceGate:
    """``open`` says whether a voice is there; thresholds differ so that it does not flutter."""

    def __init__(self) -> None:
        self.open = False
        self._loud_packets = 0
        self._quiet_packets = 0

    def push(self, pcm: PcmArray) -> bool:
        """One packet [960] -> whether the gate is open after it."""
        level = level_dbfs(pcm)
        self._loud_packets = self._loud_packets + 1 if level > OPEN_DBFS else 0
        self._quiet_packets = 0 if level > HOLD_DBFS else self._quiet_packets + 1
        if self._loud_packets >= OPEN_PACKETS:
            self.open = True
        elif self._quiet_packets >= HANGOVER_PACKETS:
            self.open = False
        return self.open
