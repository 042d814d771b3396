"""The ``lite`` renderer: 21 keypoints -> face mesh -> depth-buffered flow -> one remap, then eyes
and mouth. Every frame is made from the photograph's own pixels at full resolution."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from liveportrait.background.cutout import Cutout, cut_out
from liveportrait.background.segmentation import PersonSegmenter
from liveportrait.blend_pixels import blend_pixels, compile_blending
from liveportrait.lite.crop import (
    MARGIN_PX,
    PORTRAIT,
    SIDE_PX,
    Crop,
    choose_face,
    crop_face,
    crop_in_place,
    margin_of,
)
from liveportrait.lite.drive import drive_portrait
from liveportrait.lite.expression_light.model import FacePose, load_expression_light
from liveportrait.lite.expression_light.window import MouthAtRest, mouth_at_rest
from liveportrait.lite.eyes import (
    EyeFrame,
    lid_openness,
    move_lid_colours,
    move_lids,
    paint_eyes,
)
from liveportrait.lite.glasses import Glasses, find_glasses
from liveportrait.lite.human_face import require_human_face
from liveportrait.lite.keypoint_map import load_keypoint_map
from liveportrait.lite.lips import colour_places, settle_lips
from liveportrait.lite.mesh import Rings, face_triangles, move_rings, place_rings
from liveportrait.lite.mouth import MouthFrame, MouthPaint, paint_mouth, prepare_mouth
from liveportrait.lite.mouth_bank import load_mouth_bank
from liveportrait.lite.raster import FlowRaster
from liveportrait.lite.surroundings import WholePicture, fitted_photo, whole_picture
from liveportrait.output import Background, OutputChoices, OutputOptions
from liveportrait.portrait_warnings import PortraitWarning, portrait_warnings
from liveportrait.renderer import Portrait
from models.device import DevicePolicy
from models.errors import NoFaceError
from models.face_keypoints import FACE_OVAL, KEYPOINT_INDICES, fit_pose, landmarks_to_motion
from models.face_landmarks import FaceLandmarks, MediaPipeDetector
from models.motion import Motion, rotation_matrix
from models.shapes import AnyArray, FloatArray, Image

_LID_KEYPOINTS = slice(14, 18)
_USUAL = OutputOptions()
_KEPT_RASTERS = 8  # one for every side of square in use; 12 MB for the largest usual one


@dataclass(frozen=True, slots=True)
class LitePortrait:
    """A photograph cut, measured and taken apart for this renderer."""

    canonical: FloatArray  # [K, 3]
    source: Motion  # T == 1
    texture: Image  # the square with its margin
    texture_points: FloatArray  # [V, 2] where each mesh vertex takes its colour, texture pixels
    points: FloatArray  # [L, 3] the face mesh in the square's pixels
    head: FloatArray  # [L, 3] the same mesh, own expression and all, along the head's axes
    own_exp: FloatArray  # [K, 3] that expression, along the head's axes
    rings: Rings
    mouth: MouthPaint
    mouth_width: float  # canonical units
    mouth_at_rest: MouthAtRest
    glasses: Glasses | None
    to_photo: FloatArray  # [3, 3] places in the square -> places in the photograph, pixels
    side_px: int = SIDE_PX  # of the square in which the face moves
    whole: WholePicture | None = None  # what that square is put back into; None: it is the frame
    cutout: Cutout | None = None  # where another background is wanted: the texture's person and it
    warnings: tuple[PortraitWarning, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of its frames."""
        return self.whole.size if self.whole else (self.side_px, self.side_px)

    @property
    def margin_px(self) -> int:
        """Of texture beyond each edge of the square."""
        return margin_of(self.side_px)

    @property
    def px(self) -> float:
        """How wide is what a pixel is wide in a square of SIDE_PX."""
        return self.side_px / SIDE_PX


@dataclass(frozen=True, slots=True)
class MovedFace:
    """One frame's face, as every stage of the drawing needs it."""

    head: FloatArray  # [L, 3] the mesh along the head's axes, canonical units
    points: FloatArray  # [L, 3] the mesh in frame pixels
    openness: FloatArray  # [2] of the eyes, 1 as in the portrait
    scale: float
    turn: FloatArray  # [3, 3]
    shift: FloatArray  # [3]


# draws into a frame [H, W, 3] in place, over what the stages before it drew
Stage = Callable[[AnyArray, LitePortrait, MovedFace], None]


class LiteRenderer:
    """See ``liveportrait.renderer.Renderer``. Runs on one CPU thread."""

    engine = "lite"
    width = SIDE_PX
    height = SIDE_PX
    choices = OutputChoices()

    def __init__(self, policy: DevicePolicy, weights: Path) -> None:
        import cv2

        cv2.setNumThreads(policy.threads)
        self._map = load_keypoint_map(weights / "lite" / "keypoint_map.safetensors")
        self._bank = load_mouth_bank(weights / "lite" / "mouth_bank.safetensors")
        light = weights / "lite" / "expression_light.safetensors"
        self._expression_light = load_expression_light(light)
        self._task = weights / "face_landmarker.task"
        self._segment = PersonSegmenter(weights)
        self._detector: MediaPipeDetector | None = None
        self._triangles = face_triangles(self._map.triangles)
        self._raster_of = lru_cache(_KEPT_RASTERS)(FlowRaster)
        corner = np.zeros((self._triangles.max() + 1, 3), np.float32)
        usual = self._raster_of(SIDE_PX, MARGIN_PX)
        usual(self._triangles, corner, corner[:, :2])  # compile before the first frame
        compile_blending()
        self.stages: dict[str, Stage] = {
            "warp": self._warp,
            "eyes": self._paint_eyes,
            "light": self._light_expression,
            "mouth": self._paint_mouth,
        }

    def prepare(self, image: Image, options: OutputOptions = _USUAL) -> LitePortrait:
        """See ``Renderer.prepare``."""
        face = choose_face(self._detect(image))
        if options.framing == "full":
            picture, face = fitted_photo(image, face, options.size)
            return self._prepare_whole(picture, face, options.background)
        crop = crop_face(image, face, PORTRAIT, options.size)
        portrait = self._prepare_crop(crop, face)
        if options.background is None:
            return portrait
        places = portrait.points[:, :2] + portrait.margin_px
        photo_part = crop.photo_part(image)
        cutout = cut_out(crop.texture, places, options.background, self._segment, photo_part)
        return replace(portrait, cutout=cutout.within(portrait.margin_px))

    def prepare_whole(self, picture: Image) -> LitePortrait:
        """A portrait whose frames are ``picture`` [H, W, 3], pixel for pixel but for the face.

        Raises as ``prepare``.
        """
        return self._prepare_whole(picture, choose_face(self._detect(picture)), None)

    def _prepare_whole(
        self, picture: Image, face: FaceLandmarks, background: Background | None
    ) -> LitePortrait:
        crop = crop_in_place(picture, face)
        portrait = self._prepare_crop(crop, face)
        if background is None:
            return replace(portrait, whole=whole_picture(picture, crop))
        cutout = cut_out(picture, face.points, background, self._segment)
        person = crop_in_place(cutout.person, face).texture
        behind = crop_in_place(cutout.behind, face).frame
        return replace(
            portrait,
            whole=whole_picture(cutout.joined(), crop),
            cutout=Cutout(person, behind),
        )

    def _prepare_crop(self, crop: Crop, face: FaceLandmarks) -> LitePortrait:
        again = self._detect(crop.frame)
        points = again[0].points if again else crop.to_frame(face.points)
        assert self._detector is not None
        require_human_face(self._detector, crop.frame, points)
        return self.measure(crop, points)

    def _detect(self, image: Image) -> list[FaceLandmarks]:
        if self._detector is None:  # a worker that gets its portraits ready-made needs none
            self._detector = MediaPipeDetector(self._task, search_tiles=True)
        return self._detector.detect(image)

    def measure(self, crop: Crop, points: FloatArray) -> LitePortrait:
        """The portrait in a square whose face mesh [L, 3] (its pixels) is known.

        Raises NoFaceError when the mesh is no face's.
        """
        source, canonical = landmarks_to_motion(points[None])
        scale, turn, shift = (part[0] for part in fit_pose(points[None], canonical))
        head = ((points - shift) / scale @ turn.T).astype(np.float32)
        if not np.isfinite(head).all():
            raise NoFaceError("the face could not be measured; accepted is a whole face")
        rings = place_rings(points, scale, turn, shift, crop.photo_top)
        margin = np.array([crop.margin_px, crop.margin_px, 0], np.float32)
        vertices = np.concatenate([colour_places(points), rings.points[:, :2]])
        return LitePortrait(
            canonical=canonical[KEYPOINT_INDICES],
            source=source,
            texture=crop.texture,
            points=points,
            head=head,
            own_exp=head[KEYPOINT_INDICES] - canonical[KEYPOINT_INDICES],
            rings=rings,
            texture_points=(vertices + crop.margin_px).astype(np.float32),
            mouth=prepare_mouth(self._bank, crop.frame, points, canonical),
            mouth_width=float(np.linalg.norm(canonical[61] - canonical[291])),
            mouth_at_rest=mouth_at_rest(canonical, head),
            glasses=find_glasses(crop.texture, points + margin, crop.px),
            to_photo=crop.to_photo,
            side_px=crop.side_px,
            warnings=portrait_warnings(
                crop.frame,
                points,
                source,
                factor=crop.side_px / crop.side,
                photo_top=crop.photo_top,
            ),
        )

    def drive(self, portrait: Portrait, generated: Motion) -> Motion:
        """See ``Renderer.drive``."""
        own = _as_lite(portrait)
        return drive_portrait(own.source, generated, own.mouth_width / self._map.mouth_width)

    def render(self, portraits: Sequence[Portrait], motions: Motion) -> list[Image]:
        """See ``Renderer.render``."""
        if len(portraits) != len(motions):
            raise ValueError(f"{len(portraits)} portraits but {len(motions)} frames of motion")
        return [
            self._frame(_as_lite(portrait), motions[index : index + 1])
            for index, portrait in enumerate(portraits)
        ]

    def _frame(self, portrait: LitePortrait, motion: Motion) -> Image:
        square = np.empty((portrait.side_px, portrait.side_px, 3), np.uint8)
        moved = self.move(portrait, motion)
        for stage in self.stages.values():
            stage(square, portrait, moved)
        return portrait.whole.around(square) if portrait.whole else square

    def _moved_head(
        self, portrait: LitePortrait, offsets: FloatArray, openness: FloatArray
    ) -> FloatArray:
        """The face mesh along the head's axes [L, 3], its keypoints ``offsets`` [K, 3] off the
        portrait's own."""
        without_lids = offsets.copy()
        without_lids[_LID_KEYPOINTS] = 0.0
        spread = self._map.spread(without_lids[None])[0]
        if portrait.glasses is not None:
            spread *= 1.0 - portrait.glasses.hold
        head: FloatArray = portrait.head + spread
        move_lids(head, portrait.head, openness, portrait.glasses is not None)
        settle_lips(head, offsets + portrait.own_exp)
        return head

    def move(self, portrait: LitePortrait, motion: Motion) -> MovedFace:
        """Where the face of a portrait is in one frame of absolute motion (T == 1)."""
        turn = rotation_matrix(motion.pitch, motion.yaw, motion.roll)[0]
        scale, shift = float(motion.scale[0]), motion.t[0]
        offsets = motion.exp[0] @ turn.T - portrait.own_exp
        openness = lid_openness(offsets, self._map.eye_gap)
        head = self._moved_head(portrait, offsets, openness)
        return MovedFace(head, scale * (head @ turn) + shift, openness, scale, turn, shift)

    def _warp(self, frame: AnyArray, portrait: LitePortrait, moved: MovedFace) -> None:
        import cv2

        scale, turn, shift = moved.scale, moved.turn, moved.shift
        still = scale * (portrait.head[FACE_OVAL] @ turn) + shift  # [36, 3] without expression
        rings = move_rings(
            portrait.rings,
            scale * (portrait.rings.head @ turn) + shift,
            moved.points[FACE_OVAL] - still,
        )
        targets = np.concatenate([moved.points, rings]).astype(np.float32)
        colours = portrait.texture_points.copy()
        move_lid_colours(colours, moved.openness)
        raster = self._raster_of(portrait.side_px, portrait.margin_px)
        whole, part = raster(self._triangles, targets, colours)
        kind, beyond = cv2.INTER_LINEAR, cv2.BORDER_REPLICATE
        if portrait.cutout is None:
            cv2.remap(portrait.texture, whole, part, kind, frame, beyond)
        else:
            person = cv2.remap(portrait.cutout.person, whole, part, kind, borderMode=beyond)
            np.copyto(frame, portrait.cutout.behind)
            blend_pixels(person, cv2.extractChannel(person, 3), frame)

    def _paint_eyes(self, frame: AnyArray, portrait: LitePortrait, moved: MovedFace) -> None:
        source = portrait.points[:, :2]
        eyes = EyeFrame(moved.points[:, :2], source, moved.openness, portrait.glasses, portrait.px)
        paint_eyes(frame, portrait.texture, portrait.margin_px, eyes)

    def _paint_mouth(self, frame: AnyArray, portrait: LitePortrait, moved: MovedFace) -> None:
        pose = (moved.scale, moved.turn, moved.shift)
        mouth = MouthFrame(moved.points[:, :2], moved.head, *pose, portrait.px)
        paint_mouth(frame, portrait.mouth, mouth)

    def _light_expression(self, frame: AnyArray, portrait: LitePortrait, moved: MovedFace) -> None:
        pose = (moved.scale, moved.turn, moved.shift)
        face = FacePose(moved.head, moved.points[:, :2], *pose)
        self._expression_light(frame, portrait.mouth_at_rest, face)


def _as_lite(portrait: Portrait) -> LitePortrait:
    if not isinstance(portrait, LitePortrait):
        raise TypeError(f"a portrait of the lite engine is needed, not {type(portrait).__name__}")
    return portrait
