"""The photograph around the face, and the moving square put back into it."""

from dataclasses import dataclass

import numpy as np

from liveportrait.blend_pixels import blend_pixels
from liveportrait.lite.crop import IN_PHOTOGRAPH, Crop, face_size
from liveportrait.output import full_size
from models.face_landmarks import FaceLandmarks
from models.shapes import AnyArray, Image

_FADE_SHARE = 0.08  # of the square's side, over which it fades into the photograph


@dataclass(frozen=True, slots=True)
class WholePicture:
    """The photograph that a moving square lies in. Outside the square it never changes."""

    picture: Image  # [H, W, 3]
    left: int  # of the square, may lie outside
    top: int
    fade: AnyArray  # [S, S] uint8: 255 where the square covers the photograph, 0 on its edge

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.picture.shape[1], self.picture.shape[0]

    def around(self, square: Image) -> Image:
        """The whole picture [H, W, 3], a new array, with ``square`` [S, S, 3] in it."""
        frame = self.picture.copy()
        height, width = frame.shape[:2]
        side = len(square)
        x, y = (
            slice(max(-self.left, 0), width - self.left),
            slice(max(-self.top, 0), height - self.top),
        )
        patch = frame[max(self.top, 0) : self.top + side, max(self.left, 0) : self.left + side]
        blend_pixels(square[y, x], self.fade[y, x], patch)
        return frame


def whole_picture(picture: Image, crop: Crop) -> WholePicture:
    """``crop`` was cut from ``picture`` in place. It fades where the picture goes on beyond it."""
    height, width = picture.shape[:2]
    left, top, side = round(crop.left), round(crop.top), crop.side_px
    place = np.arange(side)
    ramp = _FADE_SHARE * side
    from_low, from_high = place / ramp, place[::-1] / ramp
    inside = np.ones((side, side))
    if left > 0:
        inside = np.minimum(inside, from_low)
    if left + side < width:
        inside = np.minimum(inside, from_high)
    if top > 0:
        inside = np.minimum(inside, from_low[:, None])
    if top + side < height:
        inside = np.minimum(inside, from_high[:, None])
    return WholePicture(picture, left, top, np.asarray(255 * np.clip(inside, 0, 1), np.uint8))


def fitted_photo(photo: Image, face: FaceLandmarks, square_px: int) -> tuple[Image, FaceLandmarks]:
    """A photograph and its face as full framing shows them: even sides, no larger than a picture
    may be, the face's square no larger than ``square_px``; never enlarged."""
    import cv2

    height, width = photo.shape[:2]
    size = full_size((width, height), IN_PHOTOGRAPH.side * face_size(face), square_px)
    if size == (width // 2 * 2, height // 2 * 2):
        return photo[: size[1], : size[0]], face
    smaller = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
    scales = np.array([size[0] / width, size[1] / height, size[0] / width], np.float32)
    return smaller, FaceLandmarks(face.points * scales)
