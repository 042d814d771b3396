"""The embedded voice's own process: sentences come in, sound goes out, until the server is gone.

``python -m server.speech_synthesis.embedded_process`` reads JSON objects ``{"text", "voice"}``, one
a line. It answers each with a length (int32, little endian) and so many bytes of PCM16LE at 48 kHz,
or with a negative length and so many bytes of a message. A first, empty answer says: ready.
"""

import json
import os
import struct
import sys
from typing import Any, BinaryIO

import numpy as np
import soxr

from dit.speech_voices import Voice, repitch, stretch
from models.shapes import FloatArray
from server.voice.media_time import PLAYOUT_RATE_HZ
from server.voice.pcm import to_pcm

VOICE_RATE_HZ = 24_000
VOICES = {
    "heart": Voice(),
    "heart-deep": Voice(pitch=0.56, tract=0.87, melody=1.1, tilt_db=-1.0),  # a man's
}
PRIORITY_STEPS = 5  # below the server's: pictures of running sessions come first
_SILENT_BELOW_PEAK = 0.01
_LEAD_S = 0.03
_SENTENCE_PAUSE_S, _CLAUSE_PAUSE_S = 0.35, 0.14
_FADE_S = 0.01
_LEVEL, _PEAK = 0.11, 0.9  # RMS of a sentence, unless its peaks would be cut ...
_MOST_GAIN = 5.0  # ... or it is hardly more than a breath


class EmbeddedVoice:
    """Hibari (Apache-2.0): weights and English pronunciation lie in its package."""

    def __init__(self) -> None:
        import hibari

        self._hibari: Any = hibari.Hibari()
        self.speak("Ready.", Voice())  # the first sentence loads the dictionaries

    def speak(self, text: str, voice: Voice) -> FloatArray:
        """One sentence -> [n] at 24 kHz with a pause after it; nothing for what has no sound."""
        waves = [self._wave(phonemes, voice) for phonemes in self._hibari.phonemize(text)]
        spoken = [trimmed(wave) for wave in waves if len(wave)]
        if not spoken:
            return np.zeros(0, np.float32)
        clause = text.rstrip("\"'”’»)] ").endswith((",", ";", ":", "—", "–"))
        pause_s = _CLAUSE_PAUSE_S if clause else _SENTENCE_PAUSE_S
        return np.concatenate([*spoken, np.zeros(round(pause_s * VOICE_RATE_HZ), np.float32)])

    def _wave(self, phonemes: str, voice: Voice) -> FloatArray:
        from hibari import dsp

        ids = np.asarray([self._hibari.ids(phonemes)], np.int64)
        if ids.shape[1] < 3:
            return np.zeros(0, np.float32)
        speed = np.asarray([voice.speed], np.float32)
        *spectra, f0 = (o[0] for o in self._hibari.sess.run(None, {"ids": ids, "speed": speed}))
        harmonic, harmonic_phase, noise, free, free_phase = (
            stretch(spectrum, voice.tract) for spectrum in spectra
        )
        random = np.random.default_rng(0)  # the same sentence always sounds the same
        tilt = voice.tilt_db * np.log(10) / 20 * np.linspace(0, 1.5, len(harmonic))[:, None]
        wave: FloatArray = dsp.synth(
            (harmonic + tilt).astype(np.float32),
            harmonic_phase,
            (noise + tilt).astype(np.float32),
            (free + tilt).astype(np.float32),
            free_phase,
            repitch(f0, voice),
            random,
        )
        return wave


def trimmed(wave: FloatArray) -> FloatArray:
    """Without the silence around it [n] at 24 kHz: pauses between sentences are set elsewhere."""
    peak = float(np.abs(wave).max())
    loud = np.flatnonzero(np.abs(wave) > peak * _SILENT_BELOW_PEAK)
    if not len(loud):
        return np.zeros(0, np.float32)
    fade = round(_FADE_S * VOICE_RATE_HZ)
    first = max(0, int(loud[0]) - round(_LEAD_S * VOICE_RATE_HZ))
    kept = wave[first : int(loud[-1]) + fade].copy()
    ramp = np.linspace(0.0, 1.0, min(fade, len(kept)), dtype=np.float32)
    kept[: len(ramp)] *= ramp
    kept[-len(ramp) :] *= ramp[::-1]
    level = float(np.sqrt(np.mean(kept**2)))
    return kept * np.float32(min(_LEVEL / level, _PEAK / peak, _MOST_GAIN))


def main() -> None:
    """Body of the process."""
    os.nice(PRIORITY_STEPS)
    answers = sys.stdout.buffer
    sys.stdout = sys.stderr  # what a library prints must not get in between
    try:
        voice = EmbeddedVoice()
    except Exception as error:
        _refuse(answers, f"the embedded voice cannot be loaded: {error}")
        return
    _send(answers, b"")
    for line in sys.stdin.buffer:
        try:
            request = json.loads(line)
            wave = voice.speak(request["text"], VOICES[request["voice"]])
            at_playout_rate = soxr.resample(wave, VOICE_RATE_HZ, PLAYOUT_RATE_HZ)
            _send(answers, to_pcm(at_playout_rate).astype("<i2").tobytes())
        except Exception as error:  # one sentence that trips a library is not the end
            _refuse(answers, f"the embedded voice cannot speak this: {error}")


def _send(answers: BinaryIO, pcm: bytes) -> None:
    answers.write(struct.pack("<i", len(pcm)) + pcm)
    answers.flush()


def _refuse(answers: BinaryIO, message: str) -> None:
    text = message.encode()[:1_000]
    answers.write(struct.pack("<i", -len(text)) + text)
    answers.flush()


if __name__ == "__main__":
    main()
