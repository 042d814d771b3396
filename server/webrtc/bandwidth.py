"""What a connection can take, read from what its receiver reports.

A receiver's estimate (REMB) cannot rise far above what it is sent: while an idle face needs little,
it says little about the network. It tells of a congestion only when it is below what was sent, and
of its end when it rises again, or when nothing was wrong for a while.
"""

from collections import deque

from models.timing import FPS

CONGESTED = 0.95  # of what was sent: an overused receiver reports 0.85 of what reached it
CALM_REPORTS = 20  # about as many seconds
_NOISE_BIT_S = 60_000  # sound and retransmissions, which the estimate counts, too


class ReceiverLimit:
    """``bit_s``: None while nothing is known to be wrong."""

    def __init__(self) -> None:
        self.bit_s: int | None = None
        self._sent: deque[int] = deque(maxlen=FPS)  # bits of each picture of the last second
        self._calm = 0

    def sent(self, size_bytes: int) -> None:
        """A picture went out."""
        self._sent.append(size_bytes * 8)

    def report(self, estimate_bit_s: int) -> None:
        """The receiver's estimate for the whole connection."""
        sent_bit_s = sum(self._sent) + _NOISE_BIT_S
        if estimate_bit_s < CONGESTED * sent_bit_s and len(self._sent) == FPS:
            self.bit_s, self._calm = estimate_bit_s, 0
        elif self.bit_s is not None:
            self._calm += 1
            raised = max(self.bit_s, estimate_bit_s)
            self.bit_s = raised if self._calm < CALM_REPORTS else None
