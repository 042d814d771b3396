import numpy as np
import pytest

from liveportrait.bench.report import psnr_db
from liveportrait.runtime.decoder import EagerDecoder, load_decoder
from liveportrait.runtime.openvino_decoder import OpenVinoDecoder
from models.device import DevicePolicy
from tests.liveportrait_small_networks import (
    PICTURE_PX,
    keypoint_pairs,
    small_networks,
    small_pictures,
)

_POLICY = DevicePolicy("cpu", "fp32", "openvino", threads=2)


@pytest.fixture(scope="module")
def decoders() -> tuple[EagerDecoder, OpenVinoDecoder]:
    return EagerDecoder(small_networks()), OpenVinoDecoder(small_networks(), _POLICY)


def test_the_same_pictures_as_eager(decoders: tuple[EagerDecoder, OpenVinoDecoder]) -> None:
    eager, fast = decoders
    images = small_pictures(3)
    x_s, x_d = keypoint_pairs(3)
    wanted = eager.decode(eager.features(images), x_s, x_d)
    got = fast.decode(fast.features(images), x_s, x_d)
    assert got.shape == wanted.shape == (3, PICTURE_PX, PICTURE_PX, 3)
    assert got.dtype == np.uint8
    for a, b in zip(got, wanted, strict=True):
        quality = psnr_db([float(np.square(a.astype(float) - b).mean())])
        assert quality is None or quality > 50
    assert np.abs(wanted[0].astype(int) - wanted[1]).mean() > 1  # pictures differ at all


def test_one_source_serves_all_frames(decoders: tuple[EagerDecoder, OpenVinoDecoder]) -> None:
    _, fast = decoders
    x_s, x_d = keypoint_pairs(2)
    source = fast.features(small_pictures(1))
    together = fast.decode(source, x_s[:1], x_d)
    apart = [fast.decode(source, x_s[:1], x_d[i : i + 1])[0] for i in range(2)]
    np.testing.assert_array_equal(together, np.stack(apart))


def test_motion_and_retargeters_are_the_reference(
    decoders: tuple[EagerDecoder, OpenVinoDecoder],
) -> None:
    eager, fast = decoders
    images = small_pictures(2)
    np.testing.assert_allclose(
        fast.motion(images).keypoints(), eager.motion(images).keypoints(), atol=1e-5
    )
    x_s, x_d = keypoint_pairs(2)
    np.testing.assert_allclose(
        fast.retargeters.stitch(x_s, x_d), eager.retargeters.stitch(x_s, x_d), atol=1e-5
    )


def test_counts_that_disagree_are_refused(decoders: tuple[EagerDecoder, OpenVinoDecoder]) -> None:
    _, fast = decoders
    x_s, x_d = keypoint_pairs(3)
    source = fast.features(small_pictures(2))
    with pytest.raises(ValueError, match="2 sources and 3 source keypoints for 3 frames"):
        fast.decode(source, x_s, x_d)


def test_without_bfloat16_graphs_are_made_for_a_cpu_that_has_it() -> None:
    """Direct convolutions, as bfloat16 takes them, compute the same picture in float32."""
    networks = small_networks()
    policy = DevicePolicy("cpu", "bf16", "openvino", threads=2)
    fast, eager = load_decoder(networks, policy), EagerDecoder(networks)
    images, (x_s, x_d) = small_pictures(1), keypoint_pairs(1)
    got = fast.decode(fast.features(images), x_s, x_d)
    wanted = eager.decode(eager.features(images), x_s, x_d)
    quality = psnr_db([float(np.square(got.astype(float) - wanted).mean())])
    assert quality is None or quality > 30
