"""Delay for nothing: a microphone's packets that all come before they are needed."""

from dataclasses import dataclass

from server.voice.media_time import PACKET_SAMPLES

WATCHED_PACKETS = 50  # a second


@dataclass(slots=True)
class MicrophoneLead:
    """Watches how far ahead of the target packets are written, second by second.

    The first packets of a connection often come in a heap, and where they are put is where all
    later ones follow. What even the latest of a second was ahead can be given back.
    """

    spare_samples: int = 0  # at 48 kHz, that the last second shows not to be needed
    _least: int | None = None
    _packets: int = 0

    def note(self, ahead: int) -> None:
        """A packet goes ``ahead`` samples beyond the target."""
        self._least = ahead if self._least is None else min(ahead, self._least)
        self._packets += 1
        if self._packets == WATCHED_PACKETS:
            self.spare_samples = max(0, self._least)
            self._least, self._packets = None, 0

    def take_back(self) -> bool:
        """Whether a packet may be left out now; counts as done."""
        if self.spare_samples < PACKET_SAMPLES:
            return False
        self.spare_samples -= PACKET_SAMPLES
        self._least, self._packets = None, 0
        return True
