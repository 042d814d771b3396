"""A photograph taken apart into its person and another background."""

from dataclasses import dataclass

import numpy as np

from liveportrait.background.matte import foreground_colours, person_matte
from liveportrait.background.replacement import background_pixels
from liveportrait.background.segmentation import PersonSegmenter
from liveportrait.blend_pixels import blend_pixels
from liveportrait.output import Background
from models.shapes import FloatArray, Image


@dataclass(frozen=True, slots=True)
class Cutout:
    """Laid over ``behind``, ``person`` gives the photograph with its new background."""

    person: Image  # [H, W, 4] colours, and in the fourth channel 255 where all is the person's
    behind: Image  # [H, W, 3]

    def joined(self) -> Image:
        """That photograph [H, W, 3]."""
        picture = self.behind.copy()
        blend_pixels(self.person, np.ascontiguousarray(self.person[..., 3]), picture)
        return picture

    def within(self, margin_px: int) -> "Cutout":
        """The person whole, and of the background what lies inside a margin."""
        inner = slice(margin_px, -margin_px)
        return Cutout(self.person, np.ascontiguousarray(self.behind[inner, inner]))


ALL = (slice(None), slice(None))


def cut_out(
    image: Image,
    points: FloatArray,
    background: Background,
    segment: PersonSegmenter,
    photo_part: tuple[slice, slice] = ALL,
) -> Cutout:
    """Take a photograph [H, W, 3] apart, once; ``points``: [L, 2 or more] of the person's face.

    ``photo_part``: rows and columns outside of which ``image`` is the photograph's mirror image
    (its drawn-out edge above it), in which people would seem to hang together.
    Raises OutputError when the background's picture cannot be read.
    """
    rows, columns = photo_part
    middle = points[:, :2].mean(0) - [columns.start or 0, rows.start or 0]
    photo = np.ascontiguousarray(image[rows, columns])
    seen = person_matte(photo, segment(photo), (float(middle[0]), float(middle[1])))
    matte = _continued(seen, image.shape[:2], (rows.start or 0, columns.start or 0))
    share = np.round(255 * matte).astype(np.uint8)
    person = np.dstack([foreground_colours(image, matte), share])
    return Cutout(np.ascontiguousarray(person), background_pixels(background, image, matte))


def _continued(matte: FloatArray, shape: tuple[int, ...], corner: tuple[int, int]) -> FloatArray:
    """A matte [h, w] at ``corner`` (row, column) of a picture of ``shape``, gone on as it does."""
    import cv2

    top, left = corner
    bottom, right = shape[0] - top - matte.shape[0], shape[1] - left - matte.shape[1]
    above = cv2.copyMakeBorder(matte, top, 0, 0, 0, cv2.BORDER_REPLICATE)
    return cv2.copyMakeBorder(  # type: ignore[no-any-return]
        above, 0, bottom, left, right, cv2.BORDER_REFLECT_101
    )
