"""The animated crop back into its photograph, faded in by a mask.

Source: ``prepare_paste_back`` and ``paste_back`` in ``src/utils/crop.py`` of the official
implementation: bilinear, black beyond the crop, blended in float32, truncated to uint8. Outside
the mask the result is the photograph itself, so blending is done in the mask's box alone.
"""

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from liveportrait.pipeline import in_parallel
from models.errors import ConfigError, MissingWeightsError
from models.shapes import FloatArray, Image
from models.weights import WEIGHTS_DIR

MASK_TEMPLATE = Path("liveportrait") / "mask_template.png"


@dataclass(frozen=True, slots=True)
class PasteMask:
    """Where the crop covers a photograph of ``size`` (width, height).

    ``share``: [h, w, 1], 0 photograph to 1 crop, of the part at ``left``, ``top``; all else is 0.
    """

    size: tuple[int, int]
    left: int
    top: int
    share: FloatArray

    def whole(self) -> FloatArray:
        """The mask of the whole photograph [H, W]."""
        width, height = self.size
        mask = np.zeros((height, width), np.float32)
        rows, columns = self.share.shape[:2]
        mask[self.top : self.top + rows, self.left : self.left + columns] = self.share[..., 0]
        return mask


@functools.cache
def mask_template(weights: Path = WEIGHTS_DIR) -> Image:
    """The official mask [512, 512] over a crop: 255 where it replaces the photograph.

    Raises MissingWeightsError.
    """
    from PIL import Image as Pillow

    path = weights / MASK_TEMPLATE
    if not path.is_file():
        raise MissingWeightsError(f"the paste-back mask {path} is missing; the repository holds it")
    with Pillow.open(path) as picture:
        mask: Image = np.asarray(picture.convert("L"), np.uint8)
    mask.setflags(write=False)
    return mask


def prepare_mask(
    to_photo: FloatArray, size: tuple[int, int], template: Image | None = None
) -> PasteMask:
    """The mask of one crop in its photograph of ``size`` (width, height).

    to_photo: crop -> photo pixels [3, 3]; template: uint8 [S, S], the official one by default.
    """
    import cv2

    crop_mask = mask_template() if template is None else template
    mask = cv2.warpAffine(crop_mask, to_photo[:2], size, flags=cv2.INTER_LINEAR)
    left, top, width, height = cv2.boundingRect(mask)
    part = mask[top : top + height, left : left + width, None]
    return PasteMask(size, left, top, part.astype(np.float32) / np.float32(255))


def paste_back(frame: Image, to_photo: FloatArray, photo: Image, mask: PasteMask) -> Image:
    """The photograph [H, W, 3] with the animated crop [S, S, 3] in it; a new array.

    Raises ConfigError when the mask was made for another size of photograph.
    """
    import cv2

    size = (photo.shape[1], photo.shape[0])
    if mask.size != size:
        raise ConfigError(f"the mask is for {mask.size} pixels, the photograph has {size}")
    result = photo.copy()
    rows, columns = mask.share.shape[:2]
    if rows == 0 or columns == 0:
        return result
    warped = cv2.warpAffine(frame, to_photo[:2], size, flags=cv2.INTER_LINEAR)
    box = np.s_[mask.top : mask.top + rows, mask.left : mask.left + columns]
    blend = mask.share * warped[box]
    blend += (1 - mask.share) * photo[box]
    result[box] = blend.astype(np.uint8)  # a mean of bytes: nothing to clip
    return result


@dataclass(frozen=True, slots=True)
class PasteJob:
    """One frame to put back. Without a ``mask`` it is made from ``to_photo``."""

    frame: Image
    to_photo: FloatArray
    photo: Image
    mask: PasteMask | None = None


class PasteBackPool:
    """Several threads that paste back at once (OpenCV and NumPy let go of the interpreter lock).

    Results come in the order of the jobs; at most twice as many jobs as ``workers`` are under way.
    Raises ConfigError when ``workers`` is no count.
    """

    def __init__(self, workers: int = 2, template: Image | None = None) -> None:
        if not 1 <= workers <= 64:
            raise ConfigError(f"workers is {workers}; accepted: 1 to 64")
        self._workers = workers
        self._template = mask_template() if template is None else template

    def run(self, jobs: Iterable[PasteJob]) -> Iterator[Image]:
        """Photographs [H, W, 3] with the jobs' frames in them. What a job raises is raised here.

        Leaving the iterator early stops the threads.
        """
        return in_parallel(jobs, self._paste, self._workers)

    def _paste(self, job: PasteJob) -> Image:
        mask = job.mask
        if mask is None:
            size = (job.photo.shape[1], job.photo.shape[0])
            mask = prepare_mask(job.to_photo, size, self._template)
        return paste_back(job.frame, job.to_photo, job.photo, mask)
