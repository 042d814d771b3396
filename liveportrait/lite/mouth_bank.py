"""Mouth interiors of synthetic people, cut into layers that move like a mouth does: upper teeth
fixed to the skull, lower teeth fixed to the jaw, and the cavity stretched between the lips."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.errors import MissingWeightsError, WeightsError
from models.shapes import AnyArray, FloatArray

PX_PER_UNIT = 2.5
HALF_WIDTH_UNITS = 44.0
LAYER_WIDTH = int(2 * HALF_WIDTH_UNITS * PX_PER_UNIT)
UPPER_ROWS, UPPER_EDGE_ROW = 80, 60  # rows of the upper teeth, and where their edges are
LOWER_ROWS, LOWER_EDGE_ROW = 60, 15
CAVITY_SIDE = 64


@dataclass(frozen=True, slots=True)
class MouthLayers:
    """One mouth. Colour is RGB; the fourth channel of the teeth says where they are (0..255)."""

    upper: AnyArray  # [UPPER_ROWS, LAYER_WIDTH, 4] uint8
    lower: AnyArray  # [LOWER_ROWS, LAYER_WIDTH, 4] uint8
    cavity: AnyArray  # [CAVITY_SIDE, CAVITY_SIDE, 3] uint8, stretched between lips and corners
    mouth_width: float  # canonical units, corner to corner
    skin: FloatArray  # [3] colour of the person's cheeks in the same light

    @property
    def teeth_colour(self) -> FloatArray:
        """[3]: the bright teeth, mean of the brightest tenth of what is surely tooth."""
        teeth = self.upper[self.upper[..., 3] > 200][:, :3].astype(np.float32)
        if not len(teeth):
            return np.full(3, 200.0, np.float32)
        light = teeth.mean(1)
        bright: FloatArray = teeth[light >= np.quantile(light, 0.9)].mean(0)
        return bright


def save_mouth_bank(mouths: list[MouthLayers], path: Path) -> None:
    """Write the bank as safetensors, readable for everybody."""
    from safetensors.numpy import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(
        {
            "upper": np.stack([m.upper for m in mouths]),
            "lower": np.stack([m.lower for m in mouths]),
            "cavity": np.stack([m.cavity for m in mouths]),
            "mouth_width": np.array([m.mouth_width for m in mouths], np.float32),
            "skin": np.stack([m.skin for m in mouths]).astype(np.float32),
        },
        path,
    )
    path.chmod(0o644)


def load_mouth_bank(path: Path) -> list[MouthLayers]:
    """Raises MissingWeightsError without the file, WeightsError on other contents."""
    from safetensors.numpy import load_file

    if not path.is_file():
        raise MissingWeightsError(
            f"{path} is missing; it belongs to the repository, "
            "`python -m liveportrait build-mouth-bank` makes it anew"
        )
    try:
        stored = load_file(path)
        upper, lower, cavity = stored["upper"], stored["lower"], stored["cavity"]
        widths, skins = stored["mouth_width"], stored["skin"]
    except Exception as error:  # safetensors raises its own type, a missing tensor is a KeyError
        raise WeightsError(f"{path} is no mouth bank: {error}") from error
    if upper.shape[1:] != (UPPER_ROWS, LAYER_WIDTH, 4) or not len(upper):
        raise WeightsError(f"{path}: layers are {upper.shape}, not [n, 80, 220, 4]")
    rows = zip(upper, lower, cavity, widths, skins, strict=True)
    return [MouthLayers(up, low, inner, float(w), skin) for up, low, inner, w, skin in rows]
