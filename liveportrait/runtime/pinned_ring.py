"""A ring of host buffers between the device and whoever takes the pictures.

A slot holds one batch: the keypoints on their way in and the pictures on their way out. It
belongs to the holder of its lease from ``acquire`` to ``release``; nobody else's batch is written
to it meanwhile, and a lease that was given back opens nothing any more. A slot that is given back
while the device still works on it is handed out again only when the device is done.
"""

import itertools
import threading
from dataclasses import dataclass

import torch
from torch import Tensor

from liveportrait.runtime.streams import DeviceStreams, Event
from models.errors import VisavisError


class RingFullError(VisavisError):
    """More batches are under way than the ring has slots: take results first."""

    code = "busy"


class StaleLeaseError(RuntimeError):
    """A slot was used after it was given back: a fault in the program."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to one slot, until it is released."""

    slot: int
    token: int  # never used twice


@dataclass(slots=True)
class _Slot:
    buffers: dict[str, Tensor]
    owner: int | None = None  # token of the lease that holds it
    ready: Event | None = None  # the device has filled it; None before ``publish``
    pending: Event | None = None  # as ``ready``, of an owner that has gone


class PinnedRing:
    """``slots`` equal sets of named host buffers. For any number of threads.

    ``layout``: name -> shape and dtype of a buffer. Raises ValueError for less than one slot.
    """

    def __init__(
        self,
        streams: DeviceStreams,
        layout: dict[str, tuple[tuple[int, ...], torch.dtype]],
        slots: int = 3,
    ) -> None:
        if slots < 1:
            raise ValueError(f"a ring of {slots} slots; accepted: 1 and more")
        self._slots = [
            _Slot({name: streams.host_buffer(*form) for name, form in layout.items()})
            for _ in range(slots)
        ]
        self._free = list(range(slots))  # the longest unused slot first
        self._tokens = itertools.count()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def free(self) -> int:
        """Slots that nobody holds."""
        with self._lock:
            return len(self._free)

    def acquire(self) -> Lease:
        """Take a free slot; waits only for the device to leave one that was given back early.

        Raises RingFullError when every slot is held.
        """
        with self._lock:
            if not self._free:
                raise RingFullError(f"all {len(self._slots)} slots of the ring hold a batch")
            index = self._free.pop(0)
            slot = self._slots[index]
            slot.owner = next(self._tokens)
            lease, pending = Lease(index, slot.owner), slot.pending
            slot.ready = slot.pending = None
        if pending is not None:
            pending.wait()
        return lease

    def buffers(self, lease: Lease) -> dict[str, Tensor]:
        """The buffers of a held slot, to be filled. Raises StaleLeaseError."""
        with self._lock:
            return self._held(lease).buffers

    def publish(self, lease: Lease, ready: Event) -> None:
        """The device will have filled the slot at ``ready``. Raises StaleLeaseError."""
        with self._lock:
            self._held(lease).ready = ready

    def done(self, lease: Lease) -> bool:
        """Whether ``read`` would return at once. Raises StaleLeaseError."""
        with self._lock:
            ready = self._held(lease).ready
        return ready is not None and ready.done()

    def read(self, lease: Lease) -> dict[str, Tensor]:
        """The buffers of a held slot once the device has filled them, valid until ``release``.

        Raises StaleLeaseError, and RuntimeError for a slot that was never published.
        """
        with self._lock:
            slot = self._held(lease)
        if slot.ready is None:
            raise RuntimeError(f"slot {lease.slot} was not published")
        slot.ready.wait()
        return slot.buffers

    def release(self, lease: Lease) -> None:
        """Give the slot back, read or not. Raises StaleLeaseError."""
        with self._lock:
            slot = self._held(lease)
            slot.pending = slot.ready
            slot.owner = slot.ready = None
            self._free.append(lease.slot)

    def _held(self, lease: Lease) -> _Slot:
        slot = self._slots[lease.slot]
        if slot.owner != lease.token:
            raise StaleLeaseError(f"the lease of slot {lease.slot} was given back")
        return slot
