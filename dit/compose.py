"""From the network's frames to the motion that is shown: silence, blinks, moods, user's controls.

All functions depend on the frames' numbers, the loudness around them and the controls alone, never
on how the voice was cut into packets.
"""

import numpy as np

from dit.blinks import LOOK_BACK_FRAMES, blink_glances, lids_shut
from dit.controls import ControlLevels
from dit.idle import add_eyes, gaze_shift, idle_pose
from dit.layout import FaceParts
from dit.moods import mood_expression
from models.motion import Motion
from models.shapes import AnyArray, FloatArray, IntArray
from models.speech import LOUDNESS_FLOOR_DB

FLOOR_HISTORY_FRAMES = 250  # background noise is what the quietest tenth of the last 10 s was
GATE_BEFORE, GATE_AFTER = 3, 4  # frames after and before a sound during which the mouth may move
GATE_SMOOTHING = 1
# what the gate of a frame looks back at
GATE_HISTORY_FRAMES = FLOOR_HISTORY_FRAMES + GATE_BEFORE + GATE_SMOOTHING
GATE_LOOKAHEAD_FRAMES = GATE_AFTER + GATE_SMOOTHING
SILENT_DB, VOICED_DB = -56.0, -46.0  # ramp of the gate in a quiet room
NOISE_MARGIN_DB, HIGHEST_SHIFT_DB = 8.0, 16.0
EASE_FRAMES = 5  # 200 ms from speaking to rest
UPPER_LIP, LOWER_LIP = 4, 5  # places of the inner lips' middles among the lite keypoints
WIDE_GAP_UNITS = 8.0  # lips so far apart are meant to be open
# how much of a change of the gap each keypoint takes over, as measured on the training clips
GAP_SHARES = {4: -0.37, 5: 0.63, 2: -0.27, 3: 0.6, 6: -0.13, 7: -0.13, 8: 0.43, 9: 0.43}
STEADY_KERNEL = np.array((1, 3, 6, 7, 6, 3, 1), np.float32) / 27
LIDS_FROM_NETWORK = 0.3  # a network that has heard no reason to blink leaves lids half open


def voice_gate(loudness_db: FloatArray) -> FloatArray:
    """How much the mouth may move, 0..1 [T], from the loudness of the same frames [T].

    The first ``GATE_HISTORY_FRAMES`` and last ``GATE_LOOKAHEAD_FRAMES`` answers lack history or
    look-ahead; the caller passes more frames and leaves these off.
    """
    history = np.concatenate([np.full(FLOOR_HISTORY_FRAMES, LOUDNESS_FLOOR_DB), loudness_db])
    windows = np.lib.stride_tricks.sliding_window_view(history, FLOOR_HISTORY_FRAMES + 1)
    background = np.quantile(windows, 0.1, axis=1)
    shift = np.clip(background + NOISE_MARGIN_DB - SILENT_DB, 0.0, HIGHEST_SHIFT_DB)
    voiced = np.clip((loudness_db - shift - SILENT_DB) / (VOICED_DB - SILENT_DB), 0.0, 1.0)
    open_ = _sliding(voiced, GATE_BEFORE, GATE_AFTER).max(1)
    smooth: FloatArray = _sliding(open_, GATE_SMOOTHING, GATE_SMOOTHING).mean(1)
    return smooth.astype(np.float32)


def compose(
    spoken: Motion,
    frames: IntArray,
    gate: FloatArray,
    levels: ControlLevels,
    clock: AnyArray,
    parts: FaceParts,
    seed: int,
) -> Motion:
    """The motion shown at absolute ``frames`` [T] from the network's motion, its gate [T], the
    controls of these frames, and the blink clock [LOOK_BACK_FRAMES + T]."""
    idle = idle_pose(frames, seed)
    exp = spoken.exp * levels.expression[:, None, None]
    mouth = list(parts.mouth)
    exp[:, mouth] *= gate[:, None, None]
    if parts.irises:
        exp[:, list(parts.lids)] *= LIDS_FROM_NETWORK * gate[:, None, None]
        exp[:, list(parts.irises)] = 0.0
        exp[:, list(parts.brows)] *= (0.3 + 0.7 * gate)[:, None, None]
        shut = lids_shut(clock, seed)[LOOK_BACK_FRAMES:]
        mood = mood_expression(levels.moods)
        mood[:, list(parts.lids)] *= (1.0 - shut)[:, None, None]  # wide eyes shut, too
        exp += mood
        gaze = gaze_shift(frames, seed) + blink_glances(clock, seed)[LOOK_BACK_FRAMES:]
        add_eyes(exp, shut, gaze * levels.gaze[:, None], parts)
    head, shift = levels.head, levels.head[:, None]
    return Motion(
        head * (idle.pitch + spoken.pitch),
        head * (idle.yaw + spoken.yaw),
        head * (idle.roll + spoken.roll),
        shift * (idle.t + spoken.t),
        np.exp(head * (np.log(idle.scale) + np.log(spoken.scale))).astype(np.float32),
        exp.astype(np.float32),
    )


def press_lips(exp: FloatArray, press_units: float) -> FloatArray:
    """Bring the lips of ``exp`` [T, K, 3] (lite engine) closer by ``press_units``, never crossing.

    A network trained on squared error shuts a mouth nearly but not quite; people notice. The gap
    shrinks by all of ``press_units`` when small and by nothing when wide.
    """
    gap = exp[:, LOWER_LIP, 1] - exp[:, UPPER_LIP, 1]
    wide = np.clip(gap / WIDE_GAP_UNITS, 0.0, 1.0)
    target = np.maximum(0.0, gap - press_units * (1.0 - wide))
    pressed = exp.copy()
    pressed[:, list(GAP_SHARES), 1] += np.outer(target - gap, list(GAP_SHARES.values()))
    return pressed.astype(np.float32)


def steady(before: FloatArray, rows: FloatArray, channels: IntArray) -> FloatArray:
    """``rows`` [T, M] with some channels smoothed over the last 7 frames, and so 3 frames late.

    ``before`` [n, M] are the rows ahead of them. Heads have mass; what trembles is the network.
    Only rows that stay as they are go in: a look-ahead that is planned anew would show as a joint.
    """
    behind = len(STEADY_KERNEL) - 1
    known = np.concatenate([before[-behind:], rows]) if len(before) else rows
    known = np.pad(known[:, channels], ((behind + len(rows) - len(known), 0), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(known, len(STEADY_KERNEL), 0)
    smooth = rows.copy()
    smooth[:, channels] = windows @ STEADY_KERNEL
    return smooth


def ease_mouth(motion: Motion, held: Motion, done: int, parts: FaceParts) -> Motion:
    """Lead mouth and brows from ``held`` (T == 1) to ``motion`` within EASE_FRAMES.

    ``done``: frames of the easing that were shown before ``motion`` begins.
    """
    at = (done + 1 + np.arange(len(motion))) / EASE_FRAMES
    way = np.clip(at, 0.0, 1.0)
    share = (way**2 * (3 - 2 * way)).astype(np.float32)[:, None, None]
    exp = motion.exp.copy()
    moved = [*parts.mouth, *parts.brows]
    exp[:, moved] = (1 - share) * held.exp[:, moved] + share * exp[:, moved]
    return Motion(motion.pitch, motion.yaw, motion.roll, motion.t, motion.scale, exp)


def _sliding(values: FloatArray, before: int, after: int) -> FloatArray:
    """Neighbourhoods [T, before + 1 + after], the ends repeated."""
    padded = np.pad(values, (before, after), mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, before + 1 + after)
