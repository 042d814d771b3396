"""The ``liveportrait`` renderer: the official networks behind the interface that the server speaks.

A portrait keeps the crop's pixels, its keypoints and its motion; what the appearance network makes
of the pixels stays on the device, for as many portraits as fit, and is made again when needed.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from threading import RLock

import numpy as np

from liveportrait.animation.keypoints import transform
from liveportrait.networks.networks import Networks
from liveportrait.neural.absolute_lips import with_absolute_lips
from liveportrait.neural.explicit_motion import implicit_motion
from liveportrait.neural.portrait import SIDE_PX, NeuralPortrait, as_neural, whole_photo
from liveportrait.output import OutputChoices, OutputOptions
from liveportrait.renderer import MotionLayout, Portrait, RendererChoice
from liveportrait.runtime.decoder import FrameDecoder, SourceFeatures, load_decoder
from liveportrait.source.crop import HUMAN_SOURCE, crop_image
from liveportrait.source.faces import AnalysedFace, FaceAnalyser, choose_analyser, the_face
from models.device import DevicePolicy
from models.errors import FaceTooSmallError
from models.motion import Motion, rotation_matrix
from models.shapes import Image

CACHED_PORTRAITS = 32  # features of one are 8 MB
MIN_FACE_PX = 64  # from the brows to the chin
_USUAL = OutputOptions()
SECOND_FACE_SHARE = 0.16  # of the first one's area: from here on it is no bystander


class NeuralRenderer:
    """See ``liveportrait.renderer.Renderer``. Its methods may be called from several threads; the
    networks run one call at a time."""

    engine = "liveportrait"
    width = SIDE_PX
    height = SIDE_PX
    choices = OutputChoices(backgrounds=("none",))

    def __init__(
        self,
        decoder: FrameDecoder,
        analyser: FaceAnalyser,
        motion_layout: MotionLayout = "own",
        cached_portraits: int = CACHED_PORTRAITS,
    ) -> None:
        self._decoder = decoder
        self._analyser = analyser
        self._motion_layout = motion_layout
        self._cached_portraits = cached_portraits
        self._features: OrderedDict[str, SourceFeatures] = OrderedDict()
        self._lock = RLock()

    def prepare(self, image: Image, options: OutputOptions = _USUAL) -> NeuralPortrait:
        """See ``Renderer.prepare``."""
        self.choices.check(options, self.engine)
        face = portrait_face(self._analyser.find(image))
        crop = crop_image(image, face.crop_points, HUMAN_SOURCE)
        with self._lock:
            info = self._decoder.motion(crop.image_256[None])
            key = hashlib.sha256(crop.image_256.tobytes()).hexdigest()
            self._remember(key, crop.image_256)
        return NeuralPortrait(
            canonical=info.kp[0],
            source=info.to_motion(),
            x_s=info.keypoints(),
            landmarks=face.ratio_points[None],
            crop_256=crop.image_256,
            to_photo=crop.to_photo,
            key=key,
            side_px=options.size,
            whole=whole_photo(image, crop.to_photo, options.size)
            if options.framing == "full"
            else None,
        )

    def drive(self, portrait: Portrait, generated: Motion) -> Motion:
        """See ``Renderer.drive``. ``generated``: relative to the photograph's own motion, to which
        it is added, as the official relative mode does; or of another motion_layout."""
        mine = as_neural(portrait)
        own = mine.source
        if self._motion_layout == "absolute_lips":
            return with_absolute_lips(own, generated)
        if self._motion_layout == "explicit":
            with self._lock:
                generated = implicit_motion(mine, generated, self._decoder.retargeters)
        return Motion(
            own.pitch + generated.pitch,
            own.yaw + generated.yaw,
            own.roll + generated.roll,
            own.t + generated.t,
            own.scale * generated.scale,
            own.exp + generated.exp,
        )

    def render(self, portraits: Sequence[Portrait], motions: Motion) -> list[Image]:
        """See ``Renderer.render``. One call of the networks for the whole batch."""
        if len(portraits) != len(motions):
            raise ValueError(f"{len(portraits)} portraits but {len(motions)} frames of motion")
        if not portraits:
            return []
        mine = [as_neural(portrait) for portrait in portraits]
        x_s = np.concatenate([portrait.x_s for portrait in mine])
        canonical = np.stack([portrait.canonical for portrait in mine])
        turn = rotation_matrix(motions.pitch, motions.yaw, motions.roll)
        x_d = transform(canonical, turn, motions.exp, motions.scale, motions.t)
        with self._lock:
            x_d = self._decoder.retargeters.stitch(x_s, x_d)
            sources = [self._remember(portrait.key, portrait.crop_256) for portrait in mine]
            crops = self._decoder.decode(sources, x_s, x_d)
        return [portrait.shown(crop) for portrait, crop in zip(mine, crops, strict=True)]

    def _remember(self, key: str, crop_256: Image) -> SourceFeatures:
        """The device's features of a crop, made when they are not there (any more)."""
        if key in self._features:
            self._features.move_to_end(key)
            return self._features[key]
        features = self._decoder.features(crop_256[None])[0]
        self._features[key] = features
        while len(self._features) > self._cached_portraits:
            self._features.popitem(last=False)
        return features


def portrait_face(faces: list[AnalysedFace]) -> AnalysedFace:
    """The one face that is large enough and clearly the portrait's.

    Raises NoFaceError, SeveralFacesError or FaceTooSmallError, saying what was found.
    """
    first = the_face(faces, "the photograph")
    height = first.box[3] - first.box[1]
    if height < MIN_FACE_PX:
        raise FaceTooSmallError(
            f"the face is {height:.0f} pixels high; accepted are {MIN_FACE_PX} and more"
        )
    people = [face for face in faces if face.area_px >= SECOND_FACE_SHARE * first.area_px]
    return the_face(people, "the photograph", allow_several=False)


def load_neural_renderer(
    choice: RendererChoice, policy: DevicePolicy, weights: Path
) -> NeuralRenderer:
    """Raises MissingWeightsError, ChecksumError or WeightsError."""
    decoder = load_decoder(networks_of(weights, seeded=choice.seeded), policy, choice.quality)
    return NeuralRenderer(decoder, choose_analyser(weights), choice.motion_layout)


def networks_of(weights: Path, *, seeded: bool = False, animal: bool = False) -> Networks:
    """The official networks of a weights folder, or the tests' made-up ones.

    Raises MissingWeightsError, ChecksumError or WeightsError.
    """
    if seeded:
        from liveportrait.networks.seeded import seeded_networks

        return seeded_networks()
    from liveportrait.networks.official import load_networks

    return load_networks(weights, "animal" if animal else "human")
