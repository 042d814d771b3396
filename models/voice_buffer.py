"""The recent past of a voice, addressed by absolute sample numbers."""

import numpy as np

from models.shapes import FloatArray


class VoiceBuffer:
    """Keeps the last ``keep_samples`` of a voice at 16 kHz and forgets what is older.

    Samples before the first and after the last one read as zeros: a voice begins and ends in
    silence. Reading samples that were there but are forgotten raises ValueError.
    """

    def __init__(self, keep_samples: int) -> None:
        self._keep = keep_samples
        self._store = np.zeros(2 * keep_samples, np.float32)
        self._first = 0  # absolute number of the store's first sample
        self._filled = 0

    @property
    def first(self) -> int:
        """Absolute number of the oldest sample that can still be read."""
        return self._first

    @property
    def end(self) -> int:
        """Absolute number of the sample after the last one."""
        return self._first + self._filled

    def append(self, samples: FloatArray) -> None:
        """Add samples [n] at the end."""
        if samples.size > self._store.size - self._filled:
            # half the store at once, so that a long voice is copied only once per keep_samples
            keep = min(self._keep, self._filled)
            tail = self._store[self._filled - keep : self._filled].copy()
            self._store = np.zeros(max(2 * self._keep, keep + samples.size), np.float32)
            self._store[:keep] = tail
            self._first += self._filled - keep
            self._filled = keep
        self._store[self._filled : self._filled + samples.size] = samples
        self._filled += samples.size

    def truncate(self, end: int) -> None:
        """Forget everything from sample ``end`` on."""
        if not self._first <= end <= self.end:
            raise ValueError(f"sample {end} is not among those kept, {self._first} to {self.end}")
        self._filled = end - self._first

    def read(self, start: int, end: int) -> FloatArray:
        """Samples ``[start, end)``, zeros outside the voice."""
        if max(start, 0) < self._first and end > 0:
            raise ValueError(f"sample {max(start, 0)} is forgotten; kept: from {self._first} on")
        window = np.zeros(end - start, np.float32)
        low, high = max(start, self._first), min(end, self.end)
        if high > low:
            window[low - start : high - start] = self._store[low - self._first : high - self._first]
        return window
