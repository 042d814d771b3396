"""Text-to-speech with known phoneme times, in many voices made from one.

The synthesiser (hibari, Apache-2.0) is a source-filter model: it predicts a pitch curve and the
spectra of a harmonic and a noise branch, and its waveform follows from these. So another speaker
is made before the waveform exists: the pitch curve is scaled and its melody flattened or widened,
the spectra are stretched along frequency (another vocal tract length) and tilted. Times stay.
"""

import random
from dataclasses import dataclass
from typing import Any

import numpy as np

from dit.speech_phonemes import SILENCE, PhonemeTimes, times_from_durations
from models.errors import MissingWeightsError
from models.shapes import AnyArray, FloatArray

DURATION_UNIT_S = 0.025
FRAME_S = 0.0125
TTS_RATE_HZ = 24_000
EARLY_S = 0.055
_DURATION_TENSOR = "/Round_output_0"
_SILENT_BELOW_PEAK_DB = 38.0
_MIN_PAUSE_S = 0.06


@dataclass(frozen=True, slots=True)
class Voice:
    """One speaker as a change of the synthesiser's own."""

    pitch: float = 1.0  # factor on the pitch, 0.5 (deep) to 1.4 (child)
    tract: float = 1.0  # factor on formant frequencies, 0.82 (long vocal tract) to 1.18
    melody: float = 1.0  # exponent on the pitch around its median: 0 monotone, above 1 lively
    tilt_db: float = 0.0  # gain at 8 kHz relative to 0 Hz
    breath_db: float = 0.0  # gain of the noise branch
    speed: float = 1.0


@dataclass(frozen=True, slots=True)
class Utterance:
    """One spoken sentence [n] at 24 kHz with the times of its phonemes."""

    wave: FloatArray
    phonemes: PhonemeTimes


def random_voice(rng: random.Random) -> Voice:
    """A speaker: vocal tract and pitch go together loosely, as in people."""
    tract = rng.uniform(0.82, 1.16)
    return Voice(
        # the synthesiser's own speaker is a woman of about 190 Hz with tract 1.0
        pitch=min(max(np.exp(2.2 * np.log(tract) + rng.gauss(0, 0.16)), 0.45), 1.5),
        tract=tract,
        melody=rng.uniform(0.5, 1.4),
        tilt_db=rng.uniform(-8.0, 5.0),
        breath_db=rng.uniform(-3.0, 5.0),
        speed=rng.uniform(0.75, 1.35),
    )


class SpeechSynthesiser:
    """Hibari with its inner phoneme durations as a further output.

    Raises MissingWeightsError when the package is not installed.
    """

    def __init__(self) -> None:
        try:
            import hibari
            from hibari.voices import voice_path
        except ImportError as error:
            raise MissingWeightsError(
                "the speech corpus needs the package hibari-tts: pip install '.[train]'"
            ) from error
        import onnx
        import onnxruntime

        model = onnx.load(voice_path("heart"))
        model.graph.output.append(onnx.helper.make_empty_tensor_value_info(_DURATION_TENSOR))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(model.SerializeToString(), options)
        self._text: Any = hibari.Hibari()

    def phonemise(self, text: str) -> list[str]:
        """Text -> one phoneme string per sentence."""
        return list(self._text.phonemize(text))

    def speak(self, phonemes: str, voice: Voice, seed: int) -> Utterance:
        """Phonemes of one sentence -> its sound and times."""
        from hibari import dsp

        known = [c for c in phonemes if c in self._text.vocab]
        ids = self._text.ids(known)
        *spectra, f0, duration = self._session.run(
            None,
            {"ids": np.asarray([ids], np.int64), "speed": np.asarray([voice.speed], np.float32)},
        )
        harmonic, harmonic_phase, noise, free, free_phase = (
            stretch(s[0], voice.tract) for s in spectra
        )
        tilt = (voice.tilt_db * np.log(10) / 20) * np.linspace(0, 1.5, harmonic.shape[0])[:, None]
        breath = voice.breath_db * np.log(10) / 20
        wave: FloatArray = dsp.synth(
            (harmonic + tilt).astype(np.float32),
            harmonic_phase,
            (noise + tilt + breath).astype(np.float32),
            (free + tilt).astype(np.float32),
            free_phase,
            repitch(f0[0], voice),
            np.random.default_rng(seed),
        )
        tokens = [".", *known, "."]
        times = times_from_durations(tokens, duration.reshape(-1) * DURATION_UNIT_S)
        return Utterance(wave, align(times, wave))


def stretch(spectrum: AnyArray, tract: float) -> FloatArray:
    """Log spectrum or phase [bins, F] with its frequency axis scaled by ``tract``."""
    bins = spectrum.shape[0]
    source = np.clip(np.arange(bins) / tract, 0, bins - 1)
    low = np.floor(source).astype(np.int64)
    high = np.minimum(low + 1, bins - 1)
    share = (source - low)[:, None]
    stretched: FloatArray = (spectrum[low] * (1 - share) + spectrum[high] * share).astype(
        np.float32
    )
    return stretched


def repitch(f0: AnyArray, voice: Voice) -> FloatArray:
    """Pitch curve [F] in Hz of another speaker; unvoiced frames stay 0."""
    voiced = f0 > 40.0
    if not voiced.any():
        return np.asarray(f0, np.float32)
    median = float(np.median(f0[voiced]))
    moved = median * voice.pitch * (np.maximum(f0, 1.0) / median) ** voice.melody
    return np.where(voiced, np.clip(moved, 55.0, 600.0), 0.0).astype(np.float32)


def align(times: PhonemeTimes, wave: FloatArray) -> PhonemeTimes:
    """Correct the synthesiser's times by what can be heard.

    Its sounds come earlier than its durations say, by about 55 ms at every speed (measured:
    sibilants against energy above 4 kHz, vowels against that below 2 kHz). Silence is
    what is quiet: sentence ends and pauses are cut to the sound, and punctuation without a quiet
    stretch becomes part of its neighbours.
    """
    edges = np.append(times.start_s, times.end_s[-1]).astype(np.float64) - EARLY_S
    quiet = _quiet_frames(wave)
    duration_s = len(wave) / TTS_RATE_HZ
    heard = np.flatnonzero(~quiet) * FRAME_S
    first_s, last_s = (heard[0], heard[-1] + FRAME_S) if heard.size else (0.0, duration_s)
    edges = np.clip(edges, first_s, last_s)
    symbols: list[str] = []
    ends: list[float] = []
    for symbol, start, end in zip(times.symbols, edges[:-1], edges[1:], strict=True):
        if symbol != SILENCE:
            symbols.append(symbol)
            ends.append(float(end))
            continue
        pause = _longest_quiet(quiet, start - 0.1, end + 0.15)
        if symbols and symbols[-1] != SILENCE and pause is not None:
            ends[-1] = max(pause[0], ends[-2] if len(ends) > 1 else 0.0)
            symbols.append(SILENCE)
            ends.append(pause[1])
        elif ends:
            ends[-1] = float(end)
    return _closed(symbols, ends, first_s, last_s, duration_s)


def _closed(
    symbols: list[str], ends: list[float], first_s: float, last_s: float, duration_s: float
) -> PhonemeTimes:
    """Phonemes between the first and the last sound, with silence around."""
    while symbols and symbols[-1] == SILENCE:
        symbols.pop()
        ends.pop()
    if ends:
        ends[-1] = last_s
    bounds = np.maximum.accumulate(np.array([0.0, first_s, *ends, duration_s]))
    named = [SILENCE, *symbols, SILENCE]
    keep = np.flatnonzero(np.diff(bounds) > 1e-6)
    return PhonemeTimes(
        tuple(named[i] for i in keep),
        bounds[keep].astype(np.float32),
        bounds[keep + 1].astype(np.float32),
    )


def _quiet_frames(wave: FloatArray) -> AnyArray:
    """Whether each 12.5 ms of sound is far below the loudest one [F]."""
    hop = int(FRAME_S * TTS_RATE_HZ)
    frames = wave[: len(wave) // hop * hop].reshape(-1, hop).astype(np.float64)
    level_db = 10 * np.log10(np.mean(frames**2, axis=1) + 1e-12)
    return np.asarray(level_db < level_db.max() - _SILENT_BELOW_PEAK_DB)


def _longest_quiet(quiet: AnyArray, start_s: float, end_s: float) -> tuple[float, float] | None:
    """The longest quiet stretch that begins within a span, in seconds; None when it is short."""
    best: tuple[float, float] | None = None
    frame = max(int(start_s / FRAME_S), 0)
    while frame < min(int(end_s / FRAME_S), len(quiet)):
        stop = frame
        while stop < len(quiet) and quiet[stop]:
            stop += 1
        length_s = (stop - frame) * FRAME_S
        if length_s >= _MIN_PAUSE_S and (best is None or length_s > best[1] - best[0]):
            best = (frame * FRAME_S, stop * FRAME_S)
        frame = stop + 1
    return best
