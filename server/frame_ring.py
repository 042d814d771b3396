"""Pictures cross from the worker to the server through shared memory, without a copy in between.

Every session has a lane of RING_FRAMES slots; frame k lies in slot ``k % RING_FRAMES`` of it. The
server grants the worker frames up to RENDER_LEAD beyond the playout point, fewer than there are
slots, so the worker never writes a slot that the server may still read and no lock is needed.
"""

from multiprocessing.shared_memory import SharedMemory

import numpy as np

from models.shapes import Image

RING_FRAMES = 16
RENDER_LEAD = 10


class FrameRing:
    """Lanes of I420 pictures, uint8 [H * 3 / 2, W]. The creator unlinks the memory at close."""

    def __init__(self, lanes: int, width: int, height: int, name: str | None = None) -> None:
        self._shape = (lanes, RING_FRAMES, height * 3 // 2, width)
        self._owner = name is None
        size = int(np.prod(self._shape))
        self._memory = SharedMemory(name=name, create=self._owner, size=size)
        self._pictures: Image = np.ndarray(self._shape, np.uint8, self._memory.buf)

    @property
    def name(self) -> str:
        """What another process attaches to."""
        return self._memory.name

    def slot(self, lane: int, frame: int) -> Image:
        """The memory [H * 3 / 2, W] itself of a frame's slot."""
        slot: Image = self._pictures[lane, frame % RING_FRAMES]
        return slot

    def close(self) -> None:
        """Let go of the memory; no slot may be touched afterwards."""
        self._pictures = np.zeros((0, 0, 0, 0), np.uint8)
        self._memory.close()
        if self._owner:
            self._memory.unlink()
