"""Motion of the official extractor for training, on the seeded networks."""

from collections.abc import Iterator
from dataclasses import fields

import numpy as np
import pytest

from dit.preparation.motion import load_motion_reader
from liveportrait.networks.networks import Networks
from liveportrait.neural.training_motion import ExtractorMotion, less_rest
from liveportrait.runtime.decoder import EagerDecoder
from liveportrait.source.driving_crop import crop_to_box, driving_box
from liveportrait.source.mediapipe_faces import official_points
from models.device import DevicePolicy
from models.errors import ConfigError
from models.face_keypoints import calm_frames
from models.motion import Motion
from models.shapes import FloatArray, Image
from tests.conftest import ROOT
from tests.preparation_fixtures import mesh_at

FRAMES = 10


@pytest.fixture(scope="module")
def decoder(seeded: Networks) -> EagerDecoder:
    return EagerDecoder(seeded, DevicePolicy("cpu", "fp32", "torch"))


@pytest.fixture(scope="module")
def meshes() -> FloatArray:
    return np.stack([mesh_at(100 + f, 90, 60, seed=f).points for f in range(FRAMES)])


def pictures() -> Iterator[Image]:
    rng = np.random.default_rng(0)
    for _ in range(FRAMES):
        yield rng.integers(0, 256, (180, 200, 3), dtype=np.uint8)


def test_one_crop_for_all_frames_and_motion_less_the_persons_rest(
    decoder: EagerDecoder, meshes: FloatArray
) -> None:
    read = ExtractorMotion(decoder).read(meshes, pictures)
    box = driving_box(np.stack([official_points(mesh) for mesh in meshes]))
    crops = np.stack([crop_to_box(picture, box).image_256 for picture in pictures()])
    absolute = decoder.motion(crops).to_motion()
    expected = less_rest(absolute, meshes)
    for field in fields(Motion):
        got, want = getattr(read, field.name), getattr(expected, field.name)
        np.testing.assert_allclose(got, want, atol=2e-4)
    assert float(np.abs(np.median(read.yaw))) < 1e-4
    np.testing.assert_allclose(read.exp[calm_frames(meshes)].mean(0), 0.0, atol=1e-5)
    np.testing.assert_allclose(absolute.pitch - read.pitch, np.median(absolute.pitch), atol=1e-3)


def test_pictures_and_meshes_must_be_as_many(decoder: EagerDecoder, meshes: FloatArray) -> None:
    with pytest.raises(ValueError, match="10 pictures, but 8 face meshes"):
        ExtractorMotion(decoder).read(meshes[:8], pictures)


def test_the_settings_name_a_function_that_makes_it() -> None:
    factory = "liveportrait.neural.training_motion:load_training_motion"
    reader = load_motion_reader(factory, ROOT / "weights", seeded=True)
    assert reader.engine == "liveportrait"
    for wrong in ("liveportrait.nothing:here", "dit.preparation.motion:nothing", "noname"):
        with pytest.raises(ConfigError, match="module:function"):
            load_motion_reader(wrong, ROOT / "weights")
