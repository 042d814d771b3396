"""How well generated lips follow a voice, on people who were never trained on.

The generator runs as in a live session: through the encoder's windows, hop after hop. Truth is the
lip opening and width of the face mesh tracked in the clip. Beside it stands what loudness alone
predicts (a ridge over 13
frames, fitted on the same training people).
"""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from dit.clips import Track
from dit.compose import MotionControls
from dit.dataset import load_shards
from dit.generator import Mode, MotionGenerator
from dit.held_out import is_held_out
from dit.lagged_correlation import pearson
from dit.prepare import Shard
from dit.speech_phonemes import PhonemeTimes
from dit.synthetic import articulators_of
from models.face_keypoints import lip_gap, lip_width
from models.motion import Motion, concatenate
from models.shapes import FloatArray
from models.speech import loudness_db
from models.timing import FPS

BASELINE_NEIGHBOURS, BASELINE_RIDGE = 6, 1.0
SHUT_UNITS = 2.0  # of 240: two hundredths of the distance between the eyes
VOWELS = frozenset("ɛæɑʌɔAIOW")
SEED = 7


@dataclass(frozen=True, slots=True)
class ClipScore:
    """One clip: Pearson r at the best lag within 2 frames, of lip opening and width."""

    name: str
    gap_r: float
    width_r: float
    baseline_gap_r: float
    baseline_width_r: float
    gap_spread: float  # generated over true spread of the opening


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What ``python -m dit evaluate`` prints and writes."""

    mode: str
    gap_r: float  # medians over clips
    width_r: float
    baseline_gap_r: float
    baseline_width_r: float
    closures_shut: float  # share of /p b m/ of unseen synthetic speech with lips together
    vowels_open: float  # share of open vowels that open the lips by more than twice that
    border_velocity: float  # mouth and head movement at hop borders over that elsewhere
    blinks_per_minute: float
    hop_ms: float  # planning one hop, encoder left out
    clips: list[ClipScore]


class LoudnessBaseline:
    """Ridge regression from the loudness of 13 frames to lip opening and width."""

    def __init__(self, shards: list[Shard]) -> None:
        x = np.concatenate([self._features(s.voice.loudness_db) for s in shards])
        y = np.concatenate([_standard(np.stack([s.gap, s.width], 1)) for s in shards])
        self._mean = x.mean(0)
        centred = x - self._mean
        inner = centred.T @ centred + BASELINE_RIDGE * len(x) * np.eye(x.shape[1])
        self._weights = np.linalg.solve(inner, centred.T @ y)

    def __call__(self, level_db: FloatArray) -> FloatArray:
        """loudness [T] -> opening and width [T, 2] without unit."""
        guess: FloatArray = (self._features(level_db) - self._mean) @ self._weights
        return guess

    def _features(self, level_db: FloatArray) -> FloatArray:
        level = (level_db - level_db.mean()) / (level_db.std() + 1e-6)
        padded = np.pad(level, BASELINE_NEIGHBOURS, mode="edge")
        shifts = range(2 * BASELINE_NEIGHBOURS + 1)
        return np.stack([padded[i : i + len(level)] for i in shifts], 1)


def evaluate(generator: MotionGenerator, data: Path, corpus: Path | None, mode: Mode) -> Evaluation:
    """Score a generator on the held-out people in ``data`` (made by ``prepare``).

    ``corpus``: the speech corpus, for closures; left out, they are not counted (NaN).
    """
    baseline = LoudnessBaseline(load_shards(data / "shards", held_out=False))
    tracks = sorted(p for p in (data / "tracks").glob("*.npz") if is_held_out(p.name))
    if not tracks:
        raise ValueError(f"no held-out clips in {data / 'tracks'}")
    scores, motions = [], []
    for path in tracks:
        track = Track.load(path)
        motion = generate(generator, track.wave, mode)[: len(track.points)]
        scores.append(score_clip(path.stem, motion, track, baseline))
        motions.append(motion)
    closures, vowels = (
        (float("nan"), float("nan")) if corpus is None else lip_events(generator, corpus, mode)
    )
    minutes = sum(len(m) for m in motions) / FPS / 60
    medians = {
        name: float(np.median([getattr(s, name) for s in scores]))
        for name in ("gap_r", "width_r", "baseline_gap_r", "baseline_width_r")
    }
    return Evaluation(
        mode=mode,
        **medians,
        closures_shut=closures,
        vowels_open=vowels,
        border_velocity=border_velocity(generator, motions, mode),
        blinks_per_minute=sum(count_blinks(m) for m in motions) / minutes,
        hop_ms=planning_ms(generator),
        clips=scores,
    )


def generate(generator: MotionGenerator, wave: FloatArray, mode: Mode) -> Motion:
    """Motion for a whole voice [N], as a live session makes it."""
    stream = generator.start(mode=mode, seed=SEED, controls=MotionControls())
    return concatenate([stream.push(wave), stream.finish()])


def score_clip(name: str, motion: Motion, track: Track, baseline: LoudnessBaseline) -> ClipScore:
    """Generated and true lips of one clip, both off the keypoints."""
    mouth = articulators_of(motion.exp)
    gap, width = lip_gap(track.points), lip_width(track.points)
    guess = baseline(loudness_db(track.wave)[: len(gap)])
    # the outer eye corners of the canonical head are about 105 units apart
    spread = float((mouth[:, 0] / 105.0).std() / gap.std())
    return ClipScore(
        name,
        pearson(mouth[:, 0], gap),
        pearson(mouth[:, 1], width),
        pearson(guess[:, 0], gap),
        pearson(guess[:, 1], width),
        spread,
    )


def lip_events(generator: MotionGenerator, corpus: Path, mode: Mode) -> tuple[float, float]:
    """Shares of closures that shut the lips and of open vowels that open them, on corpus items
    that were not trained on."""
    from dit.speech_corpus import read_item
    from dit.training_data import HELD_OUT_EVERY

    shut: list[bool] = []
    opened: list[bool] = []
    for path in sorted(corpus.glob("*.npz"))[::HELD_OUT_EVERY][:8]:
        item = read_item(path)
        gap = articulators_of(generate(generator, item.wave, mode).exp)[:, 0]
        shut += [bool(gap[a:b].min() < SHUT_UNITS) for a, b in spans(item.phonemes, "pbm")]
        opened += [bool(gap[a:b].max() > 2 * SHUT_UNITS) for a, b in spans(item.phonemes, VOWELS)]
    return float(np.mean(shut)), float(np.mean(opened))


def spans(times: PhonemeTimes, sounds: str | frozenset[str]) -> list[tuple[int, int]]:
    """First frame and the one after the last of each such sound, with a frame on both sides."""
    return [
        (max(0, int(start * FPS) - 1), int(end * FPS) + 2)
        for symbol, start, end in zip(times.symbols, times.start_s, times.end_s, strict=True)
        if symbol in sounds
    ]


def border_velocity(generator: MotionGenerator, motions: list[Motion], mode: Mode) -> float:
    """Mean frame-to-frame movement into a hop's first frame over that into all others."""
    hop = generator.start(mode=mode, seed=SEED).hop_frames
    layout = generator.checkpoint.layout
    inside, border = [], []
    for motion in motions:
        step = np.abs(np.diff(layout.normalise(motion), axis=0)).mean(1)
        at_border = np.arange(1, len(motion)) % hop == 0
        border.append(step[at_border])
        inside.append(step[~at_border])
    return float(np.concatenate(border).mean() / np.concatenate(inside).mean())


def count_blinks(motion: Motion) -> int:
    """Times the upper lids come down by more than half their way."""
    from dit.idle import UPPER_LID_UNITS
    from dit.layout import FACE_PARTS

    lids = motion.exp[:, list(FACE_PARTS["lite"].lids[0::2]), 1].mean(1)
    shut = lids > 0.5 * UPPER_LID_UNITS
    return int((shut[1:] & ~shut[:-1]).sum())


def planning_ms(generator: MotionGenerator, repeats: int = 20) -> float:
    """Median time of planning one live hop."""
    from models.timing import CONTEXT_FRAMES, DEFAULT_HOP_FRAMES

    window = generator.encoder.window
    frames = CONTEXT_FRAMES + DEFAULT_HOP_FRAMES + window.lookahead_frames
    channels = generator.checkpoint.network.config.condition_channels + 1
    condition = np.ones((frames, channels), np.float32)
    context = np.zeros((CONTEXT_FRAMES, len(generator.checkpoint.layout.mean)), np.float32)
    taken = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        generator.planner.plan(context, condition, 0, SEED)
        taken.append(time.perf_counter() - start)
    return 1000 * float(np.median(taken[1:]))


def markdown(evaluations: list[Evaluation], command: str) -> str:
    """The report that lies beside a checkpoint."""
    lines = [
        "# Evaluation",
        "",
        f"Written by `{command}`. Median over {len(evaluations[0].clips)} clips of people who were",
        "never trained on; Pearson r at the best lag within 2 frames.",
        "",
        "| | lip opening | lip width | /p b m/ shut | open vowels open | movement at hop borders"
        " | blinks a minute | ms a hop |",
        "|---|---|---|---|---|---|---|---|",
        "| loudness alone | {0.baseline_gap_r:.2f} | {0.baseline_width_r:.2f} | | | | | |".format(
            evaluations[0]
        ),
    ]
    lines += [
        f"| {e.mode} | {e.gap_r:.2f} | {e.width_r:.2f} | {e.closures_shut:.0%} | "
        f"{e.vowels_open:.0%} | {e.border_velocity:.2f} | {e.blinks_per_minute:.0f} | "
        f"{e.hop_ms:.1f} |"
        for e in evaluations
    ]
    lines += [
        "",
        f"Clip by clip ({evaluations[0].mode}); in brackets loudness alone. Spread is generated",
        "over true spread of the opening.",
        "",
        "| clip | lip opening | lip width | spread |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {c.name} | {c.gap_r:.2f} ({c.baseline_gap_r:.2f}) | "
        f"{c.width_r:.2f} ({c.baseline_width_r:.2f}) | {c.gap_spread:.2f} |"
        for c in evaluations[0].clips
    ]
    return "\n".join(lines) + "\n"


def write_report(evaluations: list[Evaluation], folder: Path, command: str) -> None:
    """``EVALUATION.md`` and ``evaluation.json`` into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "EVALUATION.md").write_text(markdown(evaluations, command))
    text = json.dumps([asdict(e) for e in evaluations], indent=1)
    (folder / "evaluation.json").write_text(text + "\n")


def _standard(values: FloatArray) -> FloatArray:
    standard: FloatArray = (values - values.mean(0)) / (values.std(0) + 1e-6)
    return standard
