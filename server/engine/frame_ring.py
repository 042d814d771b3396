"""Pictures cross from the worker to the server through shared memory, without a copy in between.

Every session has a lane of RING_FRAMES slots; frame k lies in slot ``k % RING_FRAMES`` of it. A
slot has room for the largest picture a session can ask for; memory is taken as it is written. The
server grants the worker frames up to RENDER_LEAD beyond the playout point, fewer than there are
slots, so the worker never writes a slot that the server may still read and no lock is needed.
"""

from multiprocessing.shared_memory import SharedMemory

import numpy as np

from liveportrait.output import MAX_PICTURE_PX
from models.shapes import Image

RING_FRAMES = 16
RENDER_LEAD = 10
SLOT_BYTES = MAX_PICTURE_PX * 3 // 2


class FrameRing:
    """Lanes of I420 pictures, uint8 [H * 3 / 2, W]. The creator unlinks the memory at close."""

    def __init__(self, lanes: int, name: str | None = None) -> None:
        shape = (lanes, RING_FRAMES, SLOT_BYTES)
        self._owner = name is None
        size = int(np.prod(shape))
        self._memory = SharedMemory(name=name, create=self._owner, size=size)
        self._slots: Image = np.ndarray(shape, np.uint8, self._memory.buf)

    @property
    def name(self) -> str:
        """What another process attaches to."""
        return self._memory.name

    def slot(self, lane: int, frame: int, size: tuple[int, int]) -> Image:
        """The memory itself of a frame's slot, as [H * 3 / 2, W] for a ``size`` of (W, H)."""
        width, height = size
        whole: Image = self._slots[lane, frame % RING_FRAMES]
        return whole[: height * 3 // 2 * width].reshape(height * 3 // 2, width)

    def close(self) -> None:
        """Let go of the memory; no slot may be touched afterwards."""
        self._slots = np.zeros((0, 0, 0), np.uint8)
        self._memory.close()
        if self._owner:
            self._memory.unlink()
