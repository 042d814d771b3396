"""What real mouths do for a voice, for synthetic speech to follow.

A linear map from the voice to the mouths of the training clips is blurred: it hardly shuts the
lips. The table of articulators (dit/articulation.py) is crisp, and nobody's own. Half of each
follows people left out better than either alone (dit/README.md has the figures).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dit.alignment import VoiceToMouth, fit_voice_to_mouth
from models.shapes import FloatArray


@dataclass(frozen=True, slots=True)
class MeasuredMouth:
    """Voice -> articulators of the usual speaker, spread as far as the table's."""

    follow: VoiceToMouth
    gain: FloatArray  # [4]
    offset: FloatArray  # [4]

    def __call__(self, condition: FloatArray) -> FloatArray:
        """condition: [T, C] -> articulators [T, 4] in canonical units."""
        return np.asarray(self.follow(condition) * self.gain + self.offset, np.float32)


def measure_mouth(
    clips: Sequence[tuple[FloatArray, FloatArray]],
    speech: Sequence[tuple[FloatArray, FloatArray]],
) -> MeasuredMouth:
    """From pairs of condition [T, C] and articulators [T, 4].

    ``clips``: real ones, in step with their sound, which tell the shape of the movement.
    ``speech``: synthetic ones, which tell its size: clips differ in that by their people.
    """
    scaled = [(a - a.mean(0)) / (a.std(0) + 1e-3) for _, a in clips]
    follow = fit_voice_to_mouth([condition for condition, _ in clips], scaled)
    heard = np.concatenate([follow(condition) for condition, _ in speech])
    usual = np.concatenate([articulators for _, articulators in speech])
    gain = usual.std(0) / (heard.std(0) + 1e-6)
    return MeasuredMouth(follow, gain, usual.mean(0) - heard.mean(0) * gain)
