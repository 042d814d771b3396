"""A corpus of speech with known phoneme times: folders of ``NAME.flac`` and ``NAME.npz``.

An item is one speaker's 15 to 25 seconds: sentences with pauses between them. The ``npz`` holds
``symbols`` [P] (see ``dit/speech_phonemes.py``), ``ids`` [P] (their places in PHONEMES),
``start_s`` and ``end_s`` [P] (they cover the item without gaps, silence included), ``text`` and
``voice`` (JSON). The sound is mono at 16 kHz with an active level of -20 dBFS.
"""

import json
import random
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from dit.speech_phonemes import PHONEME_IDS, SILENCE, PhonemeTimes
from dit.speech_text import nonsense, sentence
from dit.speech_voices import TTS_RATE_HZ, SpeechSynthesiser, Utterance, Voice, random_voice
from models.shapes import FloatArray
from models.sound import read_sound, resample
from models.timing import SAMPLE_RATE_HZ

ITEM_SECONDS = 20.0
ACTIVE_LEVEL_DB = -20.0
NONSENSE_SHARE = 0.12
HELD_OUT_EVERY = 20  # items by number: never trained on, kept for counting closures


def is_held_out_item(name: str) -> bool:
    """Whether an item of the corpus (``tts_0000020``) is kept from every training.

    By its number, so that a part of a corpus keeps back what the whole would.
    """
    return int(name.rpartition("_")[2]) % HELD_OUT_EVERY == 0


@dataclass(frozen=True, slots=True)
class CorpusItem:
    """One item of the corpus: wave [N] at 16 kHz and its phonemes."""

    name: str
    wave: FloatArray
    phonemes: PhonemeTimes
    text: str


def make_corpus(out: Path, hours: float, seed: int = 0, processes: int = 1) -> None:
    """Write ``hours`` of speech into ``out``. Items that are there already are kept."""
    out.mkdir(parents=True, exist_ok=True)
    seeds = [seed * 1_000_000 + i for i in range(round(hours * 3600 / ITEM_SECONDS))]
    missing = [s for s in seeds if not (out / f"{_name(s)}.npz").is_file()]
    if processes == 1:
        _write_items(out, missing)
        return
    shares = [missing[i::processes] for i in range(processes)]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for job in [pool.submit(_write_items, out, share) for share in shares]:
            job.result()


def read_item(npz: Path) -> CorpusItem:
    """Read one item by its ``.npz``; the sound lies beside it."""
    with np.load(npz) as data:
        phonemes = PhonemeTimes(
            tuple(str(s) for s in data["symbols"]), data["start_s"], data["end_s"]
        )
        text = str(data["text"])
    return CorpusItem(npz.stem, read_sound(npz.with_suffix(".flac")), phonemes, text)


def read_corpus(folder: Path) -> Iterator[CorpusItem]:
    """Every item of a corpus, by name."""
    for npz in sorted(folder.glob("*.npz")):
        yield read_item(npz)


def _name(seed: int) -> str:
    return f"tts_{seed:07d}"


def _write_items(out: Path, seeds: list[int]) -> None:
    import soundfile

    synthesiser = SpeechSynthesiser()
    for seed in seeds:
        item, voice = make_item(synthesiser, seed)
        soundfile.write(out / f"{item.name}.flac", item.wave, SAMPLE_RATE_HZ, subtype="PCM_16")
        # the npz last: it marks the item as whole
        np.savez(
            out / f"{item.name}.npz",
            symbols=np.array(item.phonemes.symbols),
            ids=np.array([PHONEME_IDS[s] for s in item.phonemes.symbols], np.int16),
            start_s=item.phonemes.start_s,
            end_s=item.phonemes.end_s,
            text=np.array(item.text),
            voice=np.array(json.dumps(asdict(voice))),
        )


def make_item(synthesiser: SpeechSynthesiser, seed: int) -> tuple[CorpusItem, Voice]:
    """Speak sentences of one random voice until the item is long enough."""
    rng = random.Random(seed)
    voice = random_voice(rng)
    parts: list[Utterance | float] = [rng.uniform(0.2, 1.2)]
    texts: list[str] = []
    seconds = 0.0
    while seconds < ITEM_SECONDS:
        if rng.random() < NONSENSE_SHARE:
            spoken = [nonsense(rng)]
            texts.append("/" + spoken[0] + "/")
        else:
            texts.append(sentence(rng))
            spoken = synthesiser.phonemise(texts[-1])
        for phonemes in spoken:
            parts.append(synthesiser.speak(phonemes, voice, rng.getrandbits(31)))
            parts.append(rng.uniform(0.0, 0.2) if rng.random() < 0.7 else rng.uniform(0.3, 1.6))
        seconds = sum(p if isinstance(p, float) else len(p.wave) / TTS_RATE_HZ for p in parts)
    wave, phonemes_of_item = join(parts)
    return CorpusItem(_name(seed), wave, phonemes_of_item, " ".join(texts)), voice


def speak(text: str, out: Path, speed: float = 1.0) -> None:
    """Say a text with the synthesiser's own voice into a WAV file; ``|`` is a pause of 0.35 s."""
    import soundfile

    synthesiser = SpeechSynthesiser()
    parts: list[Utterance | float] = []
    for piece in text.split("|"):
        parts.append(0.35)
        for phonemes in synthesiser.phonemise(piece):
            parts.append(synthesiser.speak(phonemes, Voice(speed=speed), seed=len(parts)))
    soundfile.write(out, join(parts)[0], SAMPLE_RATE_HZ, subtype="PCM_16")


def join(parts: list[Utterance | float]) -> tuple[FloatArray, PhonemeTimes]:
    """Utterances and pauses (seconds) -> wave [N] at 16 kHz at the active level, and its times."""
    waves: list[FloatArray] = []
    symbols: list[str] = []
    ends: list[float] = []
    new: tuple[str, ...]
    start = 0.0
    for part in parts:
        if isinstance(part, float):
            waves.append(np.zeros(round(part * TTS_RATE_HZ), np.float32))
            new, new_ends = (SILENCE,), [start + len(waves[-1]) / TTS_RATE_HZ]
        else:
            waves.append(part.wave)
            new, new_ends = part.phonemes.symbols, [start + float(e) for e in part.phonemes.end_s]
        for symbol, end in zip(new, new_ends, strict=True):
            if symbol == SILENCE and symbols and symbols[-1] == SILENCE:
                ends[-1] = end
            else:
                symbols.append(symbol)
                ends.append(end)
        start += len(waves[-1]) / TTS_RATE_HZ
    wave = resample(np.concatenate(waves), TTS_RATE_HZ)
    bounds = np.array([0.0, *ends], np.float32)
    return at_level(wave, ACTIVE_LEVEL_DB), PhonemeTimes(tuple(symbols), bounds[:-1], bounds[1:])


def at_level(wave: FloatArray, level_db: float) -> FloatArray:
    """Scale the louder half of the 20 ms stretches to this mean level, without clipping."""
    frames = wave[: len(wave) // 320 * 320].reshape(-1, 320).astype(np.float64)
    power = np.sort(np.mean(frames**2, axis=1))
    active = float(np.sqrt(power[len(power) // 2 :].mean() + 1e-12))
    gain = min(10 ** (level_db / 20) / active, 0.98 / max(float(np.abs(wave).max()), 1e-6))
    return (wave * gain).astype(np.float32)
