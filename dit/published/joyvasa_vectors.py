"""A voice in packets -> JoyVASA's network frames, in order and once.

``chunk``: the published windows, 100 frames one after the other, each told of the 10 before it.
``live``: every hop a window that ends with the voice heard so far. The frames in it that were
shown already are held (``dit/sampler.py``), so that the hop goes on from them; the look-ahead after
it leads into the next one. Not published: what was trained are whole windows.

The published code hears 1280 samples of silence before the voice: lips come two frames later. The
same is done here, which is why a frame needs two frames of voice less.
"""

from collections import deque
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dit.published.joyvasa import FRAMES, MOTION_CHANNELS, PREVIOUS_FRAMES, WIDTH
from dit.published.joyvasa_audio import WINDOW_SAMPLES
from dit.published.joyvasa_windows import JoyvasaWindows, Past, WindowNoise, WindowPlan
from models.errors import ConfigError
from models.shapes import FloatArray
from models.speech import frame_count
from models.timing import SAMPLE_RATE_HZ, SAMPLES_PER_FRAME
from models.voice_buffer import VoiceBuffer

Mode = Literal["live", "chunk"]
LEAD_FRAMES = 2  # of silence before the voice
GRID_FRAMES = 5  # ``rewind`` goes to multiples of this
HISTORY_FRAMES = 1000  # and at most so far back: 40 s
KEPT_SECONDS = 60  # of voice


@dataclass
class _Drawn:
    """Frames drawn so far, newest last; ``first`` is the number of the first one kept."""

    first: int
    vectors: FloatArray  # [T, 73]
    heard: FloatArray  # [T, 256]


class VectorStream:
    """Raises ConfigError for an unknown mode and for hops that do not fit the grid or a window."""

    def __init__(
        self,
        windows: JoyvasaWindows,
        mode: Mode,
        noise: WindowNoise,
        hop_frames: int,
    ) -> None:
        if mode not in ("live", "chunk"):
            raise ConfigError(f"mode is {mode!r}; accepted: live, chunk")
        self.hop_frames = FRAMES if mode == "chunk" else hop_frames
        self.lookahead_frames = 0 if mode == "chunk" else windows.sampling.lookahead_frames
        if self.hop_frames < 1 or self.hop_frames % GRID_FRAMES:
            raise ConfigError(
                f"hop_frames is {self.hop_frames}; accepted: multiples of {GRID_FRAMES}"
            )
        if not 0 <= self.lookahead_frames <= FRAMES - self.hop_frames:
            raise ConfigError(
                f"lookahead_frames is {self.lookahead_frames}; accepted: up to a window of {FRAMES}"
                f" frames less a hop of {self.hop_frames}"
            )
        self._windows, self._mode, self._noise = windows, mode, noise
        self._voice = VoiceBuffer(KEPT_SECONDS * SAMPLE_RATE_HZ)
        self._drawn = _Drawn(
            0, np.zeros((0, MOTION_CHANNELS), np.float32), np.zeros((0, WIDTH), np.float32)
        )
        # first frame and motion of each look-ahead
        self._ahead: deque[tuple[int, FloatArray]] = deque(maxlen=HISTORY_FRAMES)

    @property
    def committed_frames(self) -> int:
        """Frames given out so far."""
        return self._drawn.first + len(self._drawn.vectors)

    @property
    def delay_frames(self) -> int:
        """Frames of voice beyond its own end that a frame may wait for, at worst."""
        return max(0, self.hop_frames - 1 + self.lookahead_frames - LEAD_FRAMES)

    @property
    def oldest_frame(self) -> int:
        """``rewind`` reaches back to here."""
        past = PREVIOUS_FRAMES + FRAMES
        return 0 if self._drawn.first == 0 else self._drawn.first + past

    @property
    def newest_frame(self) -> int:
        """Whole frames of voice that came."""
        return self._voice.end // SAMPLES_PER_FRAME

    def push(self, samples: FloatArray) -> FloatArray:
        """More voice [n] -> the frames that it completed [T, 73]."""
        parts = [self._drawn.vectors[:0]]
        # by parts, so that a whole file is heard before the buffer forgets it
        for start in range(0, len(samples), SAMPLE_RATE_HZ):
            self._voice.append(samples[start : start + SAMPLE_RATE_HZ])
            while self._voice.end >= self._voice_end(self.committed_frames):
                parts.append(self._commit(self.hop_frames))
        return np.concatenate(parts)

    def finish(self) -> FloatArray:
        """The voice is over: frames for what is left of it [T, 73]."""
        parts = [self._drawn.vectors[:0]]
        total = frame_count(self._voice.end)
        while (left := total - self.committed_frames) > 0:
            parts.append(self._commit(min(self.hop_frames, left)))
        return np.concatenate(parts)

    def rewind(self, frame: int) -> None:
        """Forget voice and frames from ``frame`` on. Raises ValueError off the grid, beyond the
        voice, and further back than is kept."""
        if frame % GRID_FRAMES or not self.oldest_frame <= frame <= self.newest_frame:
            raise ValueError(
                f"cannot rewind to frame {frame}; accepted: multiples of {GRID_FRAMES} "
                f"from {self.oldest_frame} to {self.newest_frame}"
            )
        self._voice.truncate(frame * SAMPLES_PER_FRAME)
        kept = max(0, frame - self._drawn.first)
        drawn = self._drawn
        self._drawn = _Drawn(drawn.first, drawn.vectors[:kept], drawn.heard[:kept])
        while self._ahead and self._ahead[-1][0] > frame:
            self._ahead.pop()

    def _voice_end(self, start: int) -> int:
        """The sample that must have come before the hop at ``start`` can be drawn."""
        frames = start + self.hop_frames + self.lookahead_frames - LEAD_FRAMES
        return frames * SAMPLES_PER_FRAME

    def _commit(self, count: int) -> FloatArray:
        """Draw the next hop and keep ``count`` frames of it."""
        start, planned = self.committed_frames, self.hop_frames + self.lookahead_frames
        first = max(0, start + planned - FRAMES) if self._mode == "live" else start
        at = start - first  # of the hop in its window
        heard = self._windows.features(self._window_voice(first, self._voice_end(start)))
        window = self._windows.draw(self._plan(first, start), heard, self._past(first), self._noise)
        hop = self._cross_faded(window[at : at + planned], start)
        drawn = self._drawn
        self._drawn = _Drawn(
            drawn.first,
            np.concatenate([drawn.vectors, hop[:count]]),
            np.concatenate([drawn.heard, heard[at : at + count]]),
        )
        if self.lookahead_frames:
            self._ahead.append((start + self.hop_frames, hop[self.hop_frames :]))
        self._forget()
        return hop[:count]

    def _plan(self, first: int, start: int) -> WindowPlan:
        if self._mode == "chunk":  # as published, every window grows from the same noise
            return WindowPlan(first, self._noise.start(range(FRAMES)))
        held = self._rows(self._drawn.vectors, first, start)
        return WindowPlan(first, self._noise.start(range(first, first + FRAMES)), held)

    def _window_voice(self, first: int, end: int) -> FloatArray:
        """The voice [64000] of the window at frame ``first``, silence from sample ``end`` on."""
        start = (first - LEAD_FRAMES) * SAMPLES_PER_FRAME
        window = np.zeros(WINDOW_SAMPLES, np.float32)
        window[: end - start] = self._voice.read(start, min(end, start + WINDOW_SAMPLES))
        return window

    def _past(self, first: int) -> Past:
        """The 10 frames before ``first``; before a voice is what the network learnt for that."""
        before = self._windows.before
        return Past(
            self._ten_before(first, before.motion, self._drawn.vectors),
            self._ten_before(first, before.voice, self._drawn.heard),
        )

    def _ten_before(self, first: int, learnt: FloatArray, kept: FloatArray) -> FloatArray:
        known = max(0, first - PREVIOUS_FRAMES)
        missing = PREVIOUS_FRAMES - (first - known)
        return np.concatenate([learnt[PREVIOUS_FRAMES - missing :], self._rows(kept, known, first)])

    def _rows(self, kept: FloatArray, start: int, end: int) -> FloatArray:
        """Rows of absolute frames."""
        return kept[start - self._drawn.first : end - self._drawn.first]

    def _cross_faded(self, hop: FloatArray, start: int) -> FloatArray:
        """Lead from the last look-ahead into the new frames [T, 73]."""
        if not self._ahead or self._ahead[-1][0] != start:
            return hop
        old = self._ahead[-1][1]
        faded = hop.copy()
        share = (np.arange(1, len(old) + 1, dtype=np.float32) / (len(old) + 1))[:, None]
        faded[: len(old)] = (1 - share) * old + share * hop[: len(old)]
        return faded

    def _forget(self) -> None:
        """A session has no end, memory has."""
        drop = len(self._drawn.vectors) - HISTORY_FRAMES
        if drop < HISTORY_FRAMES // 4:
            return
        drawn = self._drawn
        self._drawn = _Drawn(drawn.first + drop, drawn.vectors[drop:], drawn.heard[drop:])
