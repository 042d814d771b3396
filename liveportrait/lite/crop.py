"""Which face of a photograph becomes the portrait, and the square around it."""

from dataclasses import dataclass

import numpy as np

from models.errors import FaceTooSmallError, NoFaceError, SeveralFacesError
from models.face_landmarks import FaceLandmarks
from models.shapes import FloatArray, Image

SIDE_PX = 512  # of a frame
MARGIN_PX = 64  # of picture kept beyond each edge, for motion to bring in
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
    """A square of a photograph, scaled to SIDE_PX, with its margin."""

    texture: Image  # [SIDE + 2 MARGIN, SIDE + 2 MARGIN, 3]
    left: float  # of the square in the photograph, pixels
    top: float
    side: float

    def to_frame(self, points: FloatArray) -> FloatArray:
        """Photograph pixels [L, 3] -> frame pixels."""
        factor = SIDE_PX / self.side
        moved = points * factor
        moved[:, :2] -= np.array([self.left, self.top], np.float32) * factor
        return moved.astype(np.float32)

    @property
    def to_photo(self) -> FloatArray:
        """Affine matrix [3, 3]: pixel places in the frame -> those in the photograph."""
        step = self.side / SIDE_PX
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


def crop_face(photo: Image, face: FaceLandmarks, framing: Framing = PORTRAIT) -> Crop:
    """Cut the square: as framed where the photograph is wide enough, down to 1.5 face sizes where
    it is not. Beyond the photograph its mirror image goes on, softened; above it, where that would
    show hair twice, its edge is drawn out.
    """
    import cv2

    height, width = photo.shape[:2]
    left, top, right, bottom = face.box
    size = max(bottom - top, 1.15 * (right - left))
    side = float(np.clip(min(height, width), _TIGHT * size, framing.side * size))
    middle_x, middle_y = (left + right) / 2, (top + bottom) / 2 - framing.above * size
    square_left = _slid_inside(middle_x - side / 2, side, width)
    square_top = _slid_inside(middle_y - side / 2, side, height)
    factor = SIDE_PX / side
    whole = SIDE_PX + 2 * MARGIN_PX
    if factor < 0.7:  # shrink first, since a remap alone would skip pixels
        photo = cv2.resize(photo, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        rescale = photo.shape[1] / width
    else:
        rescale = 1.0
    step = rescale / factor
    origin = np.array([square_left, square_top]) * rescale + 0.5 * step - 0.5 - MARGIN_PX * step
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
    bounds = (np.array([0, 0, photo.shape[1], photo.shape[0]]) - np.tile(origin, 2)) / step
    _soften_beyond(texture, bounds)
    return Crop(texture, square_left, square_top, side)


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
