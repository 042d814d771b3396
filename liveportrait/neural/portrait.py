"""A portrait of the ``liveportrait`` engine."""

from dataclasses import dataclass

from liveportrait.animation.keypoints import KeypointInfo
from liveportrait.renderer import Portrait
from models.motion import Motion
from models.shapes import FloatArray, Image

SIDE_PX = 512


@dataclass(frozen=True, slots=True)
class NeuralPortrait:
    """A photograph's crop and what the motion extractor says about it."""

    canonical: FloatArray  # [K, 3]
    source: Motion  # T == 1
    x_s: FloatArray  # [1, K, 3] its keypoints in the picture
    landmarks: FloatArray  # [1, 203, 2] of eyes and lips, photograph pixels
    crop_256: Image  # [256, 256, 3], the networks' input
    to_photo: FloatArray  # [3, 3] places in the frame -> places in the photograph, pixels
    key: str  # of the crop's pixels
    size: tuple[int, int] = (SIDE_PX, SIDE_PX)

    @property
    def info(self) -> KeypointInfo:
        """Its keypoints as the keypoint algebra takes them, T == 1."""
        own = self.source
        return KeypointInfo(
            own.pitch, own.yaw, own.roll, own.t, own.exp, own.scale, self.canonical[None]
        )


def as_neural(portrait: Portrait) -> NeuralPortrait:
    """Raises TypeError for another engine's portrait."""
    if not isinstance(portrait, NeuralPortrait):
        kind = type(portrait).__name__
        raise TypeError(f"a portrait of the liveportrait engine is needed, not {kind}")
    return portrait
