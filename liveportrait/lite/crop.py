"""Which face of a photograph becomes the portrait, and the square around it."""

from dataclasses import dataclass

import numpy as np

from models.errors import FaceTooSmallError, NoFaceError, SeveralFacesError
from models.face_landmarks import FaceLandmarks
from models.shapes import FloatArray, Image

SIDE_PX = 512  # of a frame, where nothing else is asked for
MARGIN_SHARE = 8  # of a frame's side is kept beyond each edge, for motion to bring in
MARGIN_PX = SIDE_PX // MARGIN_SHARE
MIN_FACE_PX = 80
SECOND_FACE_SHARE = 0.4  # of the first one's height: from here on it is no bystander
_TIGHT = 1.5  # side of the square over the face's size: the least


@dataclass(frozen=True, slots=True)
class Framing:
    """The wanted square, in face sizes: its side, and its middle above the face's."""

    side: float
    above: float


PORTRAIT = Framing(2.0, 0.02)  # hair needs more room above than a neck needs below
# holds all of the mesh that moves (mesh.py), so that the square's edge stays still in a photograph
IN_PHOTOGRAPH = Framing(2.35, 0.2)


@dataclass(frozen=True, slots=True)
class Crop:
    """A square of a photograph, scaled to ``side_px``, with its margin."""

    texture: Image  # [side_px + 2 margin_px, side_px + 2 margin_px, 3]
    left: float  # of the square in the photograph, pixels
    top: float
    side: float
    side_px: int = SIDE_PX  # of the square in frames

    @property
    def margin_px(self) -> int:
        """Of texture beyond each of the frame's edges."""
        return margin_of(self.side_px)

    @property
    def px(self) -> float:
        """How many of its pixels are as wide as one of a square of SIDE_PX."""
        return self.side_px / SIDE_PX

    @property
    def frame(self) -> Image:
        """The square without its margin [side_px, side_px, 3]."""
        inner = slice(self.margin_px, self.margin_px + self.side_px)
        return np.ascontiguousarray(self.texture[inner, inner])

    @property
    def photo_top(self) -> float:
        """The y in the frame of the photograph's upper edge, pixels; below 0 is out of sight."""
        return -self.top * self.side_px / self.side

    def photo_part(self, photo: Image) -> tuple[slice, slice]:
        """Rows and columns of the texture that show the photograph, not what continues it."""
        factor, length = self.side_px / self.side, len(self.texture)

        def part(start: float, size: int) -> slice:
            first = round(self.margin_px - start * factor)
            last = round(self.margin_px + (size - start) * factor)
            return slice(max(0, first), min(length, last))

        return part(self.top, photo.shape[0]), part(self.left, photo.shape[1])

    def to_frame(self, points: FloatArray) -> FloatArray:
        """Photograph pixels [L, 3] -> frame pixels."""
        factor = self.side_px / self.side
        moved = points * factor
        moved[:, :2] -= np.array([self.left, self.top], np.float32) * factor
        return moved.astype(np.float32)

    @property
    def to_photo(self) -> FloatArray:
        """Affine matrix [3, 3]: pixel places in the frame -> those in the photograph."""
        step = self.side / self.side_px
        middle = 0.5 * step - 0.5  # places are pixel centres
        return np.array(
            [[step, 0, self.left + middle], [0, step, self.top + middle], [0, 0, 1]], np.float32
        )


def choose_face(faces: list[FaceLandmarks]) -> FaceLandmarks:
    """The one face that is large enough and clearly the portrait's (faces: largest first).

    Raises NoFaceError, SeveralFacesError or FaceTooSmallError, saying what was found.
    """
    if not faces:
        raise NoFaceError(
            "no face was found; accepted is a photograph of one person, looking roughly at the "
            f"camera, the face at least {MIN_FACE_PX} pixels high"
        )
    first = faces[0]
    if first.height_px < MIN_FACE_PX:
        raise FaceTooSmallError(
            f"the face is {first.height_px:.0f} pixels high; accepted are {MIN_FACE_PX} and more"
        )
    rivals = [f for f in faces[1:] if f.height_px > SECOND_FACE_SHARE * first.height_px]
    if rivals:
        raise SeveralFacesError(
            f"{1 + len(rivals)} faces of similar size were found; accepted is one person "
            f"(others only in the background, below {SECOND_FACE_SHARE:.0%} of the face's size)"
        )
    return first


def margin_of(side_px: int) -> int:
    """Pixels of texture beyond each edge of a frame with this side."""
    return side_px // MARGIN_SHARE


def face_size(face: FaceLandmarks) -> float:
    """What squares around a face are measured in: its height, or its width where that is more."""
    left, top, right, bottom = face.box
    return float(max(bottom - top, 1.15 * (right - left)))


def crop_face(
    photo: Image, face: FaceLandmarks, framing: Framing = PORTRAIT, side_px: int = SIDE_PX
) -> Crop:
    """Cut the square, scaled to ``side_px``: as framed where the photograph is wide enough, down to
    1.5 face sizes where it is not."""
    left, top, side = _face_square(photo, face, framing)
    return _cut_square(photo, left, top, side, side_px)


def crop_in_place(picture: Image, face: FaceLandmarks) -> Crop:
    """Cut the square that holds all that moves, pixel for pixel, so that it can be put back."""
    left, top, side = _face_square(picture, face, IN_PHOTOGRAPH)
    whole = 2 * round(side / 2)
    return _cut_square(picture, round(left), round(top), whole, whole)


def _face_square(photo: Image, face: FaceLandmarks, framing: Framing) -> tuple[float, float, float]:
    """Left, top and side in the photograph's pixels."""
    height, width = photo.shape[:2]
    left, top, right, bottom = face.box
    size = face_size(face)
    side = float(np.clip(min(height, width), _TIGHT * size, framing.side * size))
    middle_x, middle_y = (left + right) / 2, (top + bottom) / 2 - framing.above * size
    return (
        _slid_inside(middle_x - side / 2, side, width),
        _slid_inside(middle_y - side / 2, side, height),
        side,
    )


def _cut_square(photo: Image, left: float, top: float, side: float, side_px: int) -> Crop:
    """A square of the photograph's pixels, scaled to ``side_px``, and its margin.

    Beyond the photograph its mirror image goes on, softened; above it, where that would show hair
    twice, its edge is drawn out.
    """
    import cv2

    factor = side_px / side
    margin = margin_of(side_px)
    whole = side_px + 2 * margin
    rescale = 1.0
    if factor < 0.7:  # shrink first, since a remap alone would skip pixels
        width = photo.shape[1]
        photo = cv2.resize(photo, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        rescale = photo.shape[1] / width
    step = rescale / factor
    origin = np.array([left, top]) * rescale + 0.5 * step - 0.5 - margin * step
    matrix = np.array([[step, 0, origin[0]], [0, step, origin[1]]])
    interpolation = cv2.INTER_CUBIC if factor > 1 else cv2.INTER_LINEAR
    mirrored, stretched = (
        cv2.warpAffine(
            photo,
            matrix,
            (whole, whole),
            flags=cv2.WARP_INVERSE_MAP | interpolation,
            borderMode=mode,
        )
        for mode in (cv2.BORDER_REFLECT_101, cv2.BORDER_REPLICATE)
    )
    above = int(np.clip(np.ceil(-origin[1] / step), 0, whole))
    texture = np.concatenate([stretched[:above], mirrored[above:]])
    edges = np.array([0, 0, photo.shape[1], photo.shape[0]])
    bounds = ((edges - np.tile(origin, 2)) / step).astype(np.float32)
    _soften_beyond(texture, bounds)
    return Crop(texture, left, top, side, side_px)


def _soften_beyond(texture: Image, bounds: FloatArray) -> None:
    """Blur what lies outside ``bounds`` (left, top, right, bottom in texture pixels), more with the
    distance, so that the continued edge shows no stripes. In place."""
    import cv2

    place = np.arange(len(texture))
    beyond_x = np.maximum(np.maximum(bounds[0] - place, place - bounds[2] + 1), 0)
    beyond_y = np.maximum(np.maximum(bounds[1] - place, place - bounds[3] + 1), 0)
    distance = np.maximum(beyond_x[None, :], beyond_y[:, None])
    if not distance.any():
        return
    soft = cv2.blur(cv2.blur(texture, (25, 25)), (25, 25))
    share = np.clip(distance / 20.0, 0, 1).astype(np.float32)[..., None]
    texture[:] = (texture + (soft.astype(np.float32) - texture) * share).astype(np.uint8)


def _slid_inside(start: float, side: float, length: int) -> float:
    """Move a square along one axis so that as little as possible lies outside the photograph."""
    if side >= length:
        return (length - side) / 2
    return float(np.clip(start, 0, length - side))
