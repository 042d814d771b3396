"""One voice's motion, hop by hop.

``live``: every ``hop_frames`` of voice it plans the hop and some frames after it, shows the hop,
and cross-fades the next plan with what the last one had after its hop, so that no joint shows. A
plan begins a few frames before its hop: its first frames still lean on the context, and are left
out.
``chunk``: the same with hops of 65 frames, for a voice that is already there.

What is planned depends on counts of samples alone, the noise of a frame on its number and the seed:
any packets give the same motion, and a rewound stream given the same voice repeats itself.
"""

import time
from collections import deque
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from dit.blinks import LOOK_BACK_FRAMES, blink_clock, first_clock
from dit.checkpoint import MotionCheckpoint
from dit.compose import (
    EASE_FRAMES,
    GATE_HISTORY_FRAMES,
    GATE_LOOKAHEAD_FRAMES,
    compose,
    ease_mouth,
    press_lips,
    steady,
    voice_gate,
)
from dit.controls import MotionControls
from dit.layout import MOTION_CHANNELS, channels_of
from dit.planner import MotionPlanner
from dit.voice_stream import VoiceStream
from models.errors import ConfigError
from models.motion import Motion, rest
from models.motion import concatenate as join_motions
from models.shapes import AnyArray, FloatArray
from models.speech import LOUDNESS_FLOOR_DB, SpeechFeatures, concatenate, frame_count
from models.speech_encoder import EncodedHop, SpeechEncoder, SpeechEncoderStream
from models.timing import CONTEXT_FRAMES, NEW_FRAMES, SAMPLES_PER_FRAME

Mode = Literal["live", "chunk"]
WARM_UP_FRAMES = 4  # of a plan, before its hop
# from the last plan to the next. What the last frames of a look-ahead say of the mouth is worse, so
# they are left out of its fade; the slow rest of the face takes the whole overlap, which goes
# beyond a short look-ahead into frames whose voice is not known yet
MOUTH_UNSURE_FRAMES = 2
LEAST_OVERLAP_FRAMES = 5
HISTORY_FRAMES = 1000  # how far back ``rewind`` reaches: 40 s


@dataclass
class _Timeline:
    """What is kept of the past, newest last; ``first`` is the number of its first frame."""

    first: int
    voice: SpeechFeatures  # final features, up to the newest encoded frame
    raw: FloatArray  # [T, M] network motion of the committed frames
    clock: AnyArray  # [T] blink clock of the committed frames

    def until(self, frame: int) -> "_Timeline":
        """What lies before ``frame``."""
        kept = max(0, frame - self.first)
        return _Timeline(self.first, self.voice[:kept], self.raw[:kept], self.clock[:kept])

    def since(self, frame: int) -> "_Timeline":
        """What lies at ``frame`` and after."""
        drop = frame - self.first
        return _Timeline(frame, self.voice[drop:], self.raw[drop:], self.clock[drop:])


class MotionStream(VoiceStream):
    """One voice's motion."""

    def __init__(
        self,
        checkpoint: MotionCheckpoint,
        encoder: SpeechEncoder,
        planner: MotionPlanner,
        mode: Mode,
        seed: int,
        controls: MotionControls,
        hop_frames: int | None,
        style: FloatArray | None = None,
    ) -> None:
        if mode not in ("live", "chunk"):
            raise ConfigError(f"mode is {mode!r}; accepted: live, chunk")
        super().__init__(controls)
        self._encoder: SpeechEncoderStream = encoder.start()
        self._grid_frames = encoder.window.hop_frames
        whole_hops = NEW_FRAMES // self._grid_frames * self._grid_frames
        self.hop_frames = whole_hops if mode == "chunk" else hop_frames or self._grid_frames
        if self.hop_frames < 1 or self.hop_frames % self._grid_frames:
            raise ConfigError(
                f"hop_frames is {self.hop_frames}; accepted: multiples of {self._grid_frames}"
            )
        self.lookahead_frames = encoder.window.lookahead_frames
        self.seed = seed
        self._style = style
        self._checkpoint, self._planner = checkpoint, planner
        mouth = channels_of(self._checkpoint.layout.parts.mouth)
        self._steady_channels = np.setdiff1d(np.arange(MOTION_CHANNELS), mouth)
        self._rest_raw = self._checkpoint.layout.normalise(rest(1))  # [1, M]
        self._empty = SpeechFeatures(
            np.zeros((0, encoder.dim), np.float32), np.zeros(0, np.float32)
        )
        no_motion = np.zeros((0, MOTION_CHANNELS), np.float32)
        self._past = _Timeline(0, self._empty, no_motion, np.zeros(0))
        self._shown: Motion = rest(0)  # motion given out, as far back as ``_past``
        self._plans: deque[tuple[int, FloatArray]] = deque(maxlen=HISTORY_FRAMES)
        self._ahead = self._empty  # provisional features after the newest final ones
        self._gate_from = 0  # loudness before this frame no longer opens the mouth
        self._samples = 0

    @property
    def committed_frames(self) -> int:
        """Frames given out so far."""
        return self._past.first + len(self._past.raw)

    @property
    def grid_frames(self) -> int:
        """The encoder's hop: ``rewind`` goes to multiples of it."""
        return self._grid_frames

    @property
    def delay_frames(self) -> int:
        """Frames of voice beyond its own end that a frame may wait for, at worst."""
        return self.hop_frames - 1 + self.lookahead_frames

    @property
    def planned_frames(self) -> int:
        """New frames of every plan: warm-up, hop, overlap with the next."""
        return WARM_UP_FRAMES + self.hop_frames + max(self.lookahead_frames, LEAST_OVERLAP_FRAMES)

    def interrupt(self, frame: int) -> None:
        """As in every stream; what was said before no longer opens the mouth."""
        super().interrupt(frame)
        self._gate_from = frame

    def _hear(self, samples: FloatArray) -> Motion:
        self._samples += len(samples)
        began = time.perf_counter()
        hops = self._encoder.push(samples)
        self.features_s += time.perf_counter() - began
        return self._take(hops)

    def _hear_the_end(self) -> Motion:
        total = frame_count(self._samples)
        parts = [self._take(self._encoder.finish())]
        while self.committed_frames < total:
            parts.append(self._commit_hop(total))
        return _joined(parts)

    def _go_back(self, frame: int) -> None:
        newest = self._samples // SAMPLES_PER_FRAME
        oldest = 0 if self._past.first == 0 else self._past.first + GATE_HISTORY_FRAMES
        if frame % self._grid_frames or not oldest <= frame <= newest:
            raise ValueError(
                f"cannot rewind to frame {frame}; accepted: multiples of {self._grid_frames} "
                f"from {oldest} to {newest}"
            )
        self._encoder.rewind(frame)
        self._samples = frame * SAMPLES_PER_FRAME
        self._past = self._past.until(frame)
        self._shown = self._shown[: max(0, frame - self._past.first)]
        self._ahead = self._empty
        while self._plans and self._plans[-1][0] > frame:
            self._plans.pop()
        if self._gate_from > frame:
            self._gate_from = 0

    def _given_out(self) -> Motion:
        return self._shown

    def _take(self, hops: list[EncodedHop]) -> Motion:
        """Add encoded voice and commit every hop that it completes."""
        parts = [rest(0)]
        for hop in hops:
            self._past.voice = concatenate([self._past.voice, hop.final])
            self._ahead = hop.lookahead
            known = self._past.first + len(self._past.voice)
            if known >= self.committed_frames + self.hop_frames:
                parts.append(self._commit_hop(min(known, frame_count(self._samples))))
        return _joined(parts)

    def _commit_hop(self, end: int) -> Motion:
        """Plan from the first frame not yet given out; commit a hop, but none from ``end`` on."""
        start = self.committed_frames
        at = start - self._past.first
        warm = at - WARM_UP_FRAMES  # where the plan begins, which may be before the voice does
        known = warm - CONTEXT_FRAMES
        voice = concatenate([self._past.voice, self._ahead])[: warm + self.planned_frames]
        heard = max(0, known)
        condition = self._checkpoint.projection.condition(voice[heard:], voice.loudness_db[:heard])
        condition = _padded(condition, heard - known, CONTEXT_FRAMES + self.planned_frames)
        plan = self._planner.plan(
            self._context(warm),
            condition,
            start - WARM_UP_FRAMES,
            self.seed,
            self._style,
            steps=1 if self.hurried else None,
        )
        plan = self._cross_faded(plan[WARM_UP_FRAMES:], start)
        count = min(self.hop_frames, end - start)
        before = self._past.raw[max(0, at - CONTEXT_FRAMES) : at]
        self._past.raw = np.concatenate([self._past.raw, plan[:count]])
        self._plans.append((start + self.hop_frames, plan[self.hop_frames :]))
        calm = steady(before, plan[:count], self._steady_channels)
        motion = self._finished_motion(calm, voice.loudness_db, start)
        self._shown = _joined([self._shown, motion])
        self._forget()
        return motion

    def _context(self, at: int) -> FloatArray:
        """The 10 committed frames before ``at`` [10, M]; before the first the face was at rest."""
        shown = self._past.raw[max(0, at - CONTEXT_FRAMES) : max(0, at)]
        return np.concatenate([np.repeat(self._rest_raw, CONTEXT_FRAMES - len(shown), 0), shown])

    def _cross_faded(self, plan: FloatArray, start: int) -> FloatArray:
        """Lead from the last plan's overlap into the new plan [hop + overlap, M]."""
        while self._plans and self._plans[0][0] < start - HISTORY_FRAMES:
            self._plans.popleft()
        if not self._plans or self._plans[-1][0] != start:
            return plan
        old = self._plans[-1][1]
        at = np.arange(1, len(old) + 1, dtype=np.float32)
        mouth_frames = max(1, self.lookahead_frames - MOUTH_UNSURE_FRAMES)
        share = np.repeat(np.minimum(1.0, at / (mouth_frames + 1))[:, None], plan.shape[1], 1)
        share[:, self._steady_channels] = (at / (len(old) + 1))[:, None]
        faded = plan.copy()
        faded[: len(old)] = (1 - share) * old + share * plan[: len(old)]
        return faded

    def _finished_motion(self, raw: FloatArray, loudness_db: FloatArray, start: int) -> Motion:
        """Network frames [T, M] from ``start`` on -> what is shown; ``loudness_db`` begins at
        ``_past.first``."""
        frames = np.arange(start, start + len(raw))
        at = start - self._past.first
        before = loudness_db[max(0, at - GATE_HISTORY_FRAMES) : at].copy()
        forgotten = self._gate_from - (start - len(before))
        before[: max(0, forgotten)] = LOUDNESS_FLOOR_DB
        after = loudness_db[at : at + len(raw) + GATE_LOOKAHEAD_FRAMES]
        gate = voice_gate(np.concatenate([before, after]))[len(before) :][: len(raw)]
        spoken = self._checkpoint.layout.motion(self._planner.amplified(raw))
        if self._checkpoint.engine == "lite":
            pressed = press_lips(spoken.exp, self._checkpoint.sampling.press_units)
            spoken = replace(spoken, exp=pressed)
        levels = self._controls.levels(frames)
        clock = self._blink_clock(gate, levels.blink)
        parts = self._checkpoint.layout.parts
        motion = compose(spoken, frames, gate, levels, clock, parts, self.seed)
        if self._ease is not None and start < self._ease[0] + EASE_FRAMES:
            first, held = self._ease
            motion = ease_mouth(motion, held, start - first, parts)
        return motion

    def _blink_clock(self, gate: FloatArray, level: FloatArray) -> AnyArray:
        """The clock of the new frames [T], kept, with the frames before: [LOOK_BACK_FRAMES + T]."""
        before = self._past.clock[-LOOK_BACK_FRAMES:]
        last = float(before[-1]) if len(before) else first_clock(self.seed)
        new = blink_clock(last, gate, level)
        self._past.clock = np.concatenate([self._past.clock, new])
        missing = np.full(LOOK_BACK_FRAMES - len(before), before[0] if len(before) else last)
        return np.concatenate([missing, before, new])

    def _forget(self) -> None:
        """Keep the last 40 s: a session has no end, memory has."""
        drop = len(self._past.raw) - HISTORY_FRAMES
        if drop < HISTORY_FRAMES // 4:
            return
        self._past = self._past.since(self._past.first + drop)
        self._shown = self._shown[drop:]
        self._controls.forget(self._past.first)


def _padded(condition: FloatArray, before: int, frames: int) -> FloatArray:
    """[frames, C + 1]: ``before`` rows of no voice, then [n, C], then no voice; the last channel
    says which rows are known."""
    padded = np.zeros((frames, condition.shape[1] + 1), np.float32)
    padded[before : before + len(condition), :-1] = condition
    padded[before : before + len(condition), -1] = 1.0
    return padded


def _joined(motions: list[Motion]) -> Motion:
    return join_motions([rest(0), *motions])
