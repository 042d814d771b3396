"""The neural renderer on made-up weights: the whole path, whatever the picture shows."""

import pickle
from collections.abc import Sequence

import numpy as np
import pytest

from liveportrait.animation.keypoints import KeypointInfo
from liveportrait.animation.ratios import eye_ratios
from liveportrait.animation.retargeters import Retargeters
from liveportrait.networks.networks import Networks
from liveportrait.neural.engine import NeuralRenderer, portrait_face
from liveportrait.neural.explicit_motion import eyes_open, implicit_motion, lip_ratio
from liveportrait.neural.portrait import NeuralPortrait
from liveportrait.renderer import RendererChoice, load_renderer
from liveportrait.runtime.decoder import EagerDecoder, SourceFeatures
from liveportrait.source.faces import AnalysedFace, choose_analyser
from models.device import DevicePolicy
from models.errors import (
    ConfigError,
    FaceTooSmallError,
    MissingWeightsError,
    NoFaceError,
    SeveralFacesError,
)
from models.images import decode_image
from models.motion import Motion, concatenate, rest
from models.shapes import FloatArray, Image
from models.weights import WEIGHTS_DIR
from tests.conftest import ROOT


class CountingDecoder:
    """The reference decoder, which counts how often it is asked."""

    def __init__(self, networks: Networks) -> None:
        self._eager = EagerDecoder(networks)
        self.features_made = 0
        self.decoded: list[tuple[int, FloatArray, FloatArray]] = []

    @property
    def retargeters(self) -> Retargeters:
        return self._eager.retargeters

    def features(self, images: Image) -> list[SourceFeatures]:
        self.features_made += len(images)
        return self._eager.features(images)

    def motion(self, images: Image) -> KeypointInfo:
        return self._eager.motion(images)

    def decode(self, sources: Sequence[SourceFeatures], x_s: FloatArray, x_d: FloatArray) -> Image:
        """Notes what it was given; a picture of its own takes seconds."""
        self.decoded.append((len(sources), x_s, x_d))
        return np.zeros((len(x_d), 512, 512, 3), np.uint8)


@pytest.fixture(scope="module")
def decoder(seeded: Networks) -> CountingDecoder:
    return CountingDecoder(seeded)


@pytest.fixture(scope="module")
def renderer(decoder: CountingDecoder) -> NeuralRenderer:
    return NeuralRenderer(decoder, choose_analyser(WEIGHTS_DIR), cached_portraits=1)


def photo(name: str) -> Image:
    return decode_image((ROOT / "server" / "avatars" / f"{name}.jpg").read_bytes())


@pytest.fixture(scope="module")
def portrait(renderer: NeuralRenderer) -> NeuralPortrait:
    return renderer.prepare(photo("p06"))


def test_the_networks_draw_a_portrait(seeded: Networks, portrait: NeuralPortrait) -> None:
    renderer = NeuralRenderer(EagerDecoder(seeded), choose_analyser(WEIGHTS_DIR))
    assert (renderer.width, renderer.height) == portrait.size == (512, 512)
    turned = rest(1)
    turned.yaw[:] = 12
    (frame,) = renderer.render([portrait], renderer.drive(portrait, turned))
    assert frame.shape == (512, 512, 3)
    assert frame.dtype == np.uint8
    assert frame.std() > 10


def test_portraits_survive_the_way_to_another_process(portrait: NeuralPortrait) -> None:
    again = pickle.loads(pickle.dumps(portrait))
    np.testing.assert_array_equal(again.crop_256, portrait.crop_256)
    np.testing.assert_array_equal(again.source.exp, portrait.source.exp)
    assert again.key == portrait.key


def test_rest_gives_the_photographs_own_keypoints(
    renderer: NeuralRenderer, decoder: CountingDecoder, portrait: NeuralPortrait
) -> None:
    np.testing.assert_allclose(portrait.info.keypoints(), portrait.x_s, atol=1e-6)
    renderer.render([portrait], renderer.drive(portrait, rest(1)))
    _, x_s, x_d = decoder.decoded[-1]
    np.testing.assert_array_equal(x_s, portrait.x_s)
    stitched = decoder.retargeters.stitch(x_s, x_s)
    np.testing.assert_allclose(x_d, stitched, atol=1e-5)


def test_a_batch_mixes_portraits_in_one_call_and_features_are_made_again_when_forgotten(
    renderer: NeuralRenderer, decoder: CountingDecoder, portrait: NeuralPortrait
) -> None:
    other = renderer.prepare(photo("p03"))  # room for one: the first one's features are gone
    before, calls = decoder.features_made, len(decoder.decoded)
    both = concatenate([renderer.drive(portrait, rest(1)), renderer.drive(other, rest(1))])
    frames = renderer.render([portrait, other], both)
    assert len(frames) == 2
    assert len(decoder.decoded) == calls + 1
    assert decoder.features_made == before + 2
    np.testing.assert_array_equal(decoder.decoded[-1][1], np.concatenate([portrait.x_s, other.x_s]))
    renderer.render([other], renderer.drive(other, rest(1)))
    assert decoder.features_made == before + 2
    assert renderer.render([], rest(0)) == []


def test_what_does_not_fit_is_refused(renderer: NeuralRenderer, portrait: NeuralPortrait) -> None:
    with pytest.raises(ValueError, match="2 portraits but 1 frames"):
        renderer.render([portrait, portrait], rest(1))
    with pytest.raises(NoFaceError):
        renderer.prepare(np.full((128, 128, 3), 90, np.uint8))


def face(left: float, height: float) -> AnalysedFace:
    points = np.zeros((203, 2), np.float32)
    return AnalysedFace(points, points, (left, 0.0, left + height, height))


def test_one_clear_face_becomes_the_portrait() -> None:
    first = face(0, 200)
    assert portrait_face([first, face(300, 70)]) is first
    with pytest.raises(SeveralFacesError):
        portrait_face([first, face(300, 180)])
    with pytest.raises(FaceTooSmallError, match="40 pixels"):
        portrait_face([face(0, 40)])


def test_without_the_official_files_the_command_that_fetches_them_is_named() -> None:
    with pytest.raises(MissingWeightsError, match="python -m models fetch liveportrait"):
        load_renderer("liveportrait", DevicePolicy(), WEIGHTS_DIR)


def test_unknown_engines_and_settings_of_the_other_engine_are_refused() -> None:
    with pytest.raises(ConfigError, match="accepted: lite, liveportrait"):
        RendererChoice("other")
    with pytest.raises(ConfigError, match="for the liveportrait engine"):
        RendererChoice("lite", motion_layout="explicit")
    assert RendererChoice("liveportrait").motion_engine == "liveportrait"
    assert RendererChoice("liveportrait", motion_layout="explicit").motion_engine == "lite"


class ShowingRetargeters:
    """Deltas that say which ratio was asked for."""

    def stitch(self, x_s: FloatArray, x_d: FloatArray) -> FloatArray:
        del x_s
        return x_d

    def eye_delta(self, x_s: FloatArray, ratios: FloatArray) -> FloatArray:
        delta = np.zeros((len(ratios), *x_s.shape[1:]), np.float32)
        delta[:, 11, 1] = ratios[:, 2]
        return delta

    def lip_delta(self, x_s: FloatArray, ratios: FloatArray) -> FloatArray:
        delta = np.zeros((len(ratios), *x_s.shape[1:]), np.float32)
        delta[:, 19, 1] = ratios[:, 1]
        return delta


def explicit(gap: float = 0.0, shut: float = 0.0) -> Motion:
    """One frame of the lite engine's motion: lips ``gap`` units apart, eyes ``shut`` by 0..1."""
    motion = rest(1)
    motion.exp[0, 5, 1] = gap
    motion.exp[0, [14, 16], 1] = 12.7 * shut
    motion.yaw[:] = 7
    motion.t[:] = (24, 12, 5)
    motion.scale[:] = 1.02
    return motion


def test_explicit_motion_becomes_pose_and_openness(portrait: NeuralPortrait) -> None:
    implicit = implicit_motion(portrait, explicit(gap=15), ShowingRetargeters())
    own_scale = portrait.source.scale[0]
    assert implicit.yaw[0] == 7
    assert implicit.scale[0] == pytest.approx(1.02)
    np.testing.assert_allclose(implicit.t[0], (0.087, 0.0435, 0), atol=1e-3)
    assert implicit.exp[0, 19, 1] * own_scale == pytest.approx(15 / 60)
    assert implicit.exp[0, 11, 1] == pytest.approx(0, abs=1e-6)


def test_lids_follow_in_shares_of_the_photographs_own_openness(portrait: NeuralPortrait) -> None:
    implicit = implicit_motion(portrait, explicit(shut=1.0), ShowingRetargeters())
    moved = implicit.exp[0, 11, 1] * portrait.source.scale[0]
    assert moved == pytest.approx(-eye_ratios(portrait.landmarks).mean(), abs=1e-5)


def test_openness_stays_within_what_the_networks_know() -> None:
    exp = np.concatenate([explicit(gap=g, shut=s).exp for g, s in ((-5, -2), (300, 3), (0, 0))])
    np.testing.assert_allclose(lip_ratio(exp), [0, 0.8, 0])
    np.testing.assert_allclose(eyes_open(exp), [1.2, 0, 1])


def test_the_explicit_layout_is_chosen_by_the_renderer(
    decoder: CountingDecoder, portrait: NeuralPortrait
) -> None:
    renderer = NeuralRenderer(decoder, choose_analyser(WEIGHTS_DIR), "explicit")
    driven = renderer.drive(portrait, explicit(gap=15))
    own = renderer.drive(portrait, explicit(gap=0))
    assert driven.yaw[0] == pytest.approx(portrait.source.yaw[0] + 7)
    assert not np.allclose(driven.exp, own.exp)
