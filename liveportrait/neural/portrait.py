"""A portrait of the ``liveportrait`` engine."""

from dataclasses import dataclass

import numpy as np

from liveportrait.animation.keypoints import KeypointInfo
from liveportrait.output import full_size
from liveportrait.portrait_warnings import PortraitWarning
from liveportrait.renderer import Portrait
from liveportrait.source.paste_back import PasteMask, paste_back, prepare_mask
from models.motion import Motion
from models.shapes import FloatArray, Image

SIDE_PX = 512


@dataclass(frozen=True, slots=True)
class WholePhoto:
    """The photograph as frames show it, and where the crop lies in it."""

    photo: Image  # [H, W, 3]
    to_photo: FloatArray  # [3, 3] places in the crop -> places in ``photo``
    mask: PasteMask


def whole_photo(photo: Image, to_photo: FloatArray, square_px: int) -> WholePhoto:
    """``photo`` as full framing shows it; ``to_photo`` [3, 3]: crop -> its pixels."""
    import cv2

    height, width = photo.shape[:2]
    crop_side = SIDE_PX * float(np.hypot(*to_photo[:2, 0]))
    size = full_size((width, height), crop_side, square_px)
    if size == (width // 2 * 2, height // 2 * 2):
        photo = np.ascontiguousarray(photo[: size[1], : size[0]])
    else:
        photo = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
        scale = np.diag([size[0] / width, size[1] / height, 1.0])
        scale[:2, 2] = 0.5 * (scale[[0, 1], [0, 1]] - 1)  # places are pixel centres
        to_photo = (scale @ to_photo).astype(np.float32)
    return WholePhoto(photo, to_photo, prepare_mask(to_photo, size))


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
    side_px: int = SIDE_PX  # of a frame that shows the crop alone
    whole: WholePhoto | None = None  # what the crop is put back into
    warnings: tuple[PortraitWarning, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of its frames."""
        return self.whole.mask.size if self.whole else (self.side_px, self.side_px)

    def shown(self, crop: Image) -> Image:
        """The networks' picture [SIDE_PX, SIDE_PX, 3] as a frame of this portrait."""
        import cv2

        if self.whole is not None:
            return paste_back(crop, self.whole.to_photo, self.whole.photo, self.whole.mask)
        if self.side_px == SIDE_PX:
            return crop
        shrink = self.side_px < SIDE_PX
        kind = cv2.INTER_AREA if shrink else cv2.INTER_CUBIC
        return cv2.resize(crop, (self.side_px, self.side_px), interpolation=kind)  # type: ignore[no-any-return]

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
