"""What a mouth does for each sound: targets for a few articulators, and co-articulation.

Targets are in canonical units (a face is 240 high): ``gap`` between the inner lips, ``width`` of
the mouth against rest, ``round`` how far the lips come forward, ``jaw`` how far the chin drops. The
figures are ordinary phonetics (open and spread, rounded and protruded, shut), scaled to what the
training clips show. Neighbouring sounds are blended by dominance functions (Cohen & Massaro 1993,
"Modeling coarticulation in synthetic visual speech"): each sound's weight falls off exponentially
around its middle, so that weak sounds take the shape of strong neighbours.
"""

from dataclasses import dataclass

import numpy as np

from dit.speech_phonemes import PHONEMES, SILENCE, PhonemeTimes
from models.shapes import FloatArray
from models.timing import FPS

ARTICULATORS = ("gap", "width", "round", "jaw")
# seconds in which a sound's influence falls to 1/e; rounding reaches furthest
REACH_S = np.array((0.035, 0.060, 0.070, 0.050))
LEAST_MEASURED = np.array((0.0, -np.inf, -np.inf, 0.0))  # a gap or a jaw is never negative
NEIGHBOURS = 8  # sounds before and after a moment that can have a part in it
BILABIAL, LABIODENTAL = frozenset("pbm"), frozenset("fv")


@dataclass(frozen=True, slots=True)
class Target:
    """A sound's shape, and for each articulator how firmly it insists (0 takes the neighbours')."""

    shape: tuple[float, float, float, float]
    firm: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)


_WEAK = (0.5, 0.25, 0.25, 0.4)
_TIP = (0.8, 0.35, 0.3, 0.8)  # tongue-tip sounds: the lips are free, the jaw is not
TARGETS: dict[str, tuple[Target, ...]] = {
    "sil": (Target((0, 0, 0, 0), (1.2, 0.8, 0.8, 1.0)),),
    **{s: (Target((0, 0, 0.5, 1), (2.5, 0.3, 0.3, 1.0)),) for s in "pbm"},
    **{s: (Target((2, 1, 0, 2), (2.0, 0.5, 0.6, 1.0)),) for s in "fv"},
    **{s: (Target((6, 1, 0, 3), _TIP),) for s in "θð"},
    **{s: (Target((6, 1.5, 0, 3), _TIP),) for s in "tdn"},
    **{s: (Target((5, 3, 0, 2), (1.0, 0.6, 0.4, 1.2)),) for s in "sz"},
    **{s: (Target((7, -5, 4, 2.5), (1.0, 1.0, 1.2, 1.2)),) for s in "ʃʒʧʤ"},
    **{s: (Target((8, 0, 0, 4), _WEAK),) for s in "kɡŋ"},
    "h": (Target((10, 0, 0, 5), (0.2, 0.1, 0.1, 0.2)),),
    "l": (Target((9, 1, 0, 4.5), _TIP),),
    "ɹ": (Target((7, -5, 3, 3.5), (0.9, 0.9, 0.9, 0.8)),),
    "w": (Target((4, -9, 6, 3), (1.4, 1.5, 1.5, 0.8)),),
    "j": (Target((7, 4, 0, 3), (0.8, 0.7, 0.5, 0.8)),),
    "T": (Target((8, 0, 0, 4), _WEAK),),
    "ʔ": (Target((8, 0, 0, 4), (0.2, 0.1, 0.1, 0.2)),),
    "i": (Target((8, 7, -0.5, 3)),),
    "ɪ": (Target((9.5, 4, 0, 4)),),
    "ɛ": (Target((13, 4, 0, 6)),),
    "æ": (Target((17, 5, 0, 8.5)),),
    "ə": (Target((9.5, 0, 0, 4.5), (0.6, 0.3, 0.3, 0.6)),),
    "ɐ": (Target((11, 0, 0, 5), (0.7, 0.4, 0.4, 0.7)),),
    "ɜ": (Target((9.5, -3, 2, 4.5)),),
    "ʌ": (Target((13.5, 0.5, 0, 6.5)),),
    "ɑ": (Target((18, 0, 0.5, 9)),),
    "ɔ": (Target((15, -6, 4, 8)),),
    "ʊ": (Target((8.5, -6, 4, 4)),),
    "u": (Target((5.5, -9, 6, 3), (1.1, 1.3, 1.3, 1.0)),),
    "A": (Target((13, 4, 0, 6)), Target((8.5, 6, 0, 3.5))),
    "I": (Target((18, 2, 0, 9)), Target((9.5, 5, 0, 4))),
    "O": (Target((13.5, -5, 4, 6.5)), Target((6.5, -8.5, 6, 3.5))),
    "W": (Target((18, 1, 0, 9)), Target((7.5, -8, 5, 4))),
    "Y": (Target((14, -7, 5, 7)), Target((8.5, 5, 0, 4))),
}
assert set(TARGETS) == set(PHONEMES), set(TARGETS) ^ set(PHONEMES)


@dataclass(frozen=True, slots=True)
class Style:
    """How one speaker articulates; ``random_style`` draws one."""

    scale: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    reach: float = 1.0  # above 1 is slurred
    lead_s: float = 0.02  # lips are in place before the sound
    loudness_power: float = 0.5  # how much a loud sound opens the mouth further
    resting_width: float = 0.0
    measured_share: float = 0.0  # of what real mouths were seen to do, where that is given


@dataclass(frozen=True, slots=True)
class LipTracks:
    """Articulators [T, 4] at 25 FPS, and how far lips are shut or tucked under the teeth, 0..1."""

    articulators: FloatArray  # [T, 4]
    shut: FloatArray  # [T]
    tucked: FloatArray  # [T]


def random_style(rng: np.random.Generator) -> Style:
    """A speaker: 35 % spread in opening, less in the others."""
    scale = np.exp(rng.normal(0.0, (0.30, 0.25, 0.25, 0.25)))
    return Style(
        scale=(float(scale[0]), float(scale[1]), float(scale[2]), float(scale[0] * scale[3])),
        reach=float(np.exp(rng.normal(0.1, 0.2))),
        lead_s=float(rng.uniform(0.0, 0.04)),
        loudness_power=float(rng.uniform(0.2, 0.8)),
        resting_width=float(rng.normal(0.0, 1.0)),
        measured_share=float(rng.uniform(0.3, 0.7)),
    )


def articulate(
    times: PhonemeTimes,
    loudness_db: FloatArray,
    style: Style,
    measured: FloatArray | None = None,
) -> LipTracks:
    """Lip movement for phonemes with known times and the loudness of the same sound [T].

    ``measured``: [T, 4] articulators as real mouths would have them (dit/measured_mouth.py).
    """
    count = len(loudness_db)
    at_s = ((np.arange(count) + 0.5) / FPS + style.lead_s).astype(np.float32)
    middle, half, shape, firm = _segments(times)
    near = np.searchsorted(middle, at_s)[:, None] + np.arange(-NEIGHBOURS, NEIGHBOURS)
    near = np.clip(near, 0, len(middle) - 1)  # [T, 2 n]; farther sounds have no weight
    distance = np.maximum(0.0, np.abs(at_s[:, None] - middle[near]) - half[near])
    tracks = np.empty((count, len(ARTICULATORS)))
    for index, reach_s in enumerate(REACH_S * style.reach):
        weight = firm[near, index] * np.exp(-distance / reach_s) + 1e-9
        tracks[:, index] = (weight * shape[near, index]).sum(1) / weight.sum(1)
    effort = _effort(loudness_db) ** style.loudness_power
    tracks[:, (0, 3)] *= effort[:, None]
    if measured is not None:
        # in pauses the table is right: the mouth is shut
        share = style.measured_share * _spoken(times, at_s)[:, None]
        tracks = (1.0 - share) * tracks + share * np.maximum(measured, LEAST_MEASURED)
    tracks *= style.scale
    tracks[:, 1] += style.resting_width
    shut = _held(times, BILABIAL, at_s)
    tucked = _held(times, LABIODENTAL, at_s)
    tracks[:, 0] *= 1.0 - shut
    tracks[:, 0] = (1.0 - tucked) * tracks[:, 0] + tucked * np.minimum(tracks[:, 0], 2.0)
    return LipTracks(tracks.astype(np.float32), shut.astype(np.float32), tucked.astype(np.float32))


def _segments(times: PhonemeTimes) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Middle and plateau half-length in seconds [P'], shape and firmness [P', 4] of each target;
    a diphthong has two."""
    rows: list[tuple[float, float, Target]] = []
    for symbol, start, end in zip(times.symbols, times.start_s, times.end_s, strict=True):
        targets = TARGETS[symbol]
        length = (float(end) - float(start)) / len(targets)
        for place, target in enumerate(targets):
            plateau = 0.5 * length - 0.06 if symbol == "sil" else 0.2 * length
            rows.append((float(start) + (place + 0.5) * length, max(0.0, plateau), target))
    middle = np.array([row[0] for row in rows], np.float32)
    half = np.array([row[1] for row in rows], np.float32)
    shape = np.array([row[2].shape for row in rows], np.float32)
    firm = np.array([row[2].firm for row in rows], np.float32)
    return middle, half, shape, firm


def _effort(loudness_db: FloatArray) -> FloatArray:
    """About 1 at the voice's usual level; 6 dB more open the mouth by half as much again."""
    speaking = loudness_db[loudness_db > loudness_db.max() - 25]
    usual = float(np.median(speaking)) if len(speaking) else 0.0
    padded = np.pad(loudness_db, 2, mode="edge")
    smooth = np.stack([padded[i : i + len(loudness_db)] for i in range(5)]).max(0)
    return np.asarray(np.clip(10 ** ((smooth - usual) / 30.0), 0.55, 1.6), np.float32)


def _spoken(times: PhonemeTimes, at_s: FloatArray) -> FloatArray:
    """1 where something is said, falling off over 0.1 s around it [T]."""
    spoken = np.zeros(len(at_s), np.float32)
    for symbol, start, end in zip(times.symbols, times.start_s, times.end_s, strict=True):
        if symbol != SILENCE:
            distance = np.maximum(np.maximum(float(start) - at_s, at_s - float(end)), 0.0)
            spoken = np.maximum(spoken, np.clip(1.0 - distance / 0.1, 0.0, 1.0)).astype(np.float32)
    return spoken


def _held(times: PhonemeTimes, sounds: frozenset[str], at_s: FloatArray) -> FloatArray:
    """1 while such a sound is held, falling off over a frame on both sides [T].

    The frame nearest to the sound's middle is always 1: at 25 FPS a short closure falls between
    two frames, and a mouth that does not shut for /p/ is what people notice first.
    """
    held = np.zeros(len(at_s), np.float32)
    for symbol, start, end in zip(times.symbols, times.start_s, times.end_s, strict=True):
        if symbol not in sounds:
            continue
        middle = 0.5 * (float(start) + float(end)) - 0.01
        half = max(0.02, 0.5 * (float(end) - float(start)) - 0.02)
        distance = np.maximum(0.0, np.abs(at_s - middle) - half)
        held = np.maximum(held, np.clip(1.0 - distance / 0.045, 0.0, 1.0)).astype(np.float32)
    return held
