"""A session's pictures from the engine's word that they are drawn until they are shown."""

import asyncio
from collections import deque
from collections.abc import Callable

from models.shapes import Image

_KEPT_REWINDS = 8


class AwaitedPictures:
    """``picture_of``: the I420 picture [H * 3 / 2, W] of a drawn frame, in memory reused soon."""

    def __init__(self, picture_of: Callable[[int], Image]) -> None:
        self.there = asyncio.Event()  # the picture of the frame at the playout point
        self.sent = 0
        self.late = 0
        self.repeated = 0
        # a picture that was late has come before the next one is due
        self.on_belated: Callable[[Image, int], None] = lambda *_: None
        self._picture_of = picture_of
        self._frame = 0  # at the playout point
        self._rewinds: deque[tuple[int, int]] = deque(maxlen=_KEPT_REWINDS)  # (revision, frame)
        self._ready: set[int] = set()
        self._repeats: set[int] = set()  # frames that show the picture before them once more
        self._ahead: tuple[int, Image] | None = None  # (frame, its picture)
        self._missed = -1  # the frame that was due last, if it was late

    def __len__(self) -> int:
        return len(self._ready)

    def drawn(self, frame: int, revision: int, *, repeats: bool) -> None:
        """The engine has put a frame into the ring, or the picture before it stays."""
        superseded = any(later > revision and frame >= start for later, start in self._rewinds)
        if superseded or (frame < self._frame and frame != self._missed):
            return
        if repeats:
            self._repeats.add(frame)
        elif frame == self._missed:
            self._missed = -1
            self.on_belated(self._sent(frame, self._picture_of(frame).copy()), frame)
        else:
            self._repeats.discard(frame)
            self._ready.add(frame)
            self._tell()

    def rewound(self, frame: int, revision: int) -> None:
        """What is drawn from ``frame`` on by an earlier revision counts no more."""
        self._rewinds.append((revision, frame))
        self._ready = {ready for ready in self._ready if ready < frame}
        self._repeats = {repeat for repeat in self._repeats if repeat < frame}

    def forget(self) -> None:
        """The engine has died, and its pictures with it."""
        self._ready.clear()
        self._repeats.clear()

    def play_on(self, frame: int) -> None:
        """The playout point has come to ``frame``."""
        self._frame = frame
        self._tell()

    def passes_repeat(self, frame: int) -> bool:
        """Whether ``frame``, which is due now, shows the picture before it on purpose."""
        repeats = frame in self._repeats
        self._repeats = {later for later in self._repeats if later > frame}
        self.repeated += repeats
        return repeats

    def take(self, frame: int) -> Image | None:
        """The picture that is due now; None when it is late."""
        self._ready = {ready for ready in self._ready if ready >= frame}
        ahead, self._ahead = self._taken(frame), None
        if ahead is None and frame not in self._ready:
            self.late += 1
            self._missed = frame
            return None
        self._missed = -1
        return self._sent(frame, self._picture_of(frame).copy() if ahead is None else ahead)

    def _sent(self, frame: int, picture: Image) -> Image:
        self._ready.discard(frame)
        self.sent += 1
        return picture

    def ahead(self, frame: int) -> Image | None:
        """The picture of ``frame``, which is due next, if it is there: from now on nothing changes
        it any more."""
        if frame in self._ready and self._taken(frame) is None:
            self._ahead = frame, self._picture_of(frame).copy()
        return self._taken(frame)

    def _taken(self, frame: int) -> Image | None:
        return self._ahead[1] if self._ahead and self._ahead[0] == frame else None

    def _tell(self) -> None:
        if self._frame in self._ready:
            self.there.set()
        else:
            self.there.clear()
