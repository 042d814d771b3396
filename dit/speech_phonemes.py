"""The phoneme classes of the speech corpus and of the encoder's phoneme head.

Symbols are one character each, those of the ``misaki`` alphabet for American English that the
synthesiser reads: ``A I O W Y`` are the diphthongs of *bait, bite, boat, bout, boy*, ``ʧ ʤ`` the
affricates of *church* and *judge*, ``T`` the flap of *water*. ``sil`` is silence of any length.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.shapes import FloatArray, IntArray
from models.timing import FPS

SILENCE = "sil"
CONSONANTS = tuple("pbmfvθðtdnszʃʒʧʤkɡŋhlɹwjTʔ")
VOWELS = tuple("iɪɛæəɜʌɑɔʊuAIOWYɐ")
PHONEMES: tuple[str, ...] = (SILENCE, *CONSONANTS, *VOWELS)
PHONEME_IDS = {symbol: index for index, symbol in enumerate(PHONEMES)}

# spellings of the alphabet for sounds that no mouth and no listener tells apart
_SAME_SOUND = {"ᵊ": "ə", "ᵻ": "ɪ", "ɾ": "T", "ɚ": "ə", "ɝ": "ɜ", "a": "æ", "ɒ": "ɑ", "o": "O"}
_STRESS = "ˈˌ"


@dataclass(frozen=True, slots=True)
class PhonemeTimes:
    """Phonemes that cover a piece of sound without gaps: P symbols with their times in seconds."""

    symbols: tuple[str, ...]
    start_s: FloatArray  # [P]
    end_s: FloatArray  # [P]

    def __len__(self) -> int:
        return len(self.symbols)

    def at(self, times_s: FloatArray) -> IntArray:
        """Phoneme class [T] at each moment [T]; silence outside."""
        index = np.searchsorted(self.start_s, times_s, side="right") - 1
        inside = (index >= 0) & (times_s < self.end_s[np.maximum(index, 0)])
        classes = np.array([PHONEME_IDS[s] for s in self.symbols], np.int64)
        return np.where(inside, classes[np.maximum(index, 0)], PHONEME_IDS[SILENCE])

    def frames(self, count: int) -> IntArray:
        """Phoneme class at the centre of each of the first ``count`` frames at 25 FPS [T]."""
        return self.at(((np.arange(count) + 0.5) / FPS).astype(np.float32))


def times_from_durations(tokens: Sequence[str], duration_s: Sequence[float]) -> PhonemeTimes:
    """Merge a synthesiser's tokens and their durations into phonemes.

    A stress mark's time goes to the vowel after it, a length mark's to the sound before, a word
    space is shared by both neighbours, punctuation and padding are silence.
    Raises ValueError for a token that is none of these.
    """
    symbols: list[str] = []
    lengths: list[float] = []
    owed = 0.0  # time of stress marks and half spaces, for the next sound
    for token, length in zip(tokens, duration_s, strict=True):
        symbol = _SAME_SOUND.get(token, token)
        if symbol in _STRESS:
            owed += length
        elif symbol == "ː":
            lengths[-1] += length
        elif symbol == " ":
            lengths[-1] += length / 2
            owed += length / 2
        elif symbol in PHONEME_IDS and symbol != SILENCE:
            symbols.append(symbol)
            lengths.append(length + owed)
            owed = 0.0
        elif not symbol.isalpha():
            if symbols and symbols[-1] == SILENCE:
                lengths[-1] += length + owed
            else:
                symbols.append(SILENCE)
                lengths.append(length + owed)
            owed = 0.0
        else:
            raise ValueError(f"unknown phoneme {token!r}")
    ends = np.cumsum(lengths)
    return PhonemeTimes(
        tuple(symbols), (ends - lengths).astype(np.float32), ends.astype(np.float32)
    )
