"""The real-time decoder: the official picture, batches of any size, results in any order."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from liveportrait.networks.networks import Networks
from liveportrait.runtime import cuda_decoder
from liveportrait.runtime.cuda_decoder import CudaDecoder, CudaOptions
from liveportrait.runtime.frame_network import FrameNetwork, Layout, PrecisionPlan
from liveportrait.runtime.pinned_ring import RingFullError, StaleLeaseError
from models.device import DevicePolicy
from models.images import decode_image
from models.shapes import FloatArray
from tests.liveportrait_fixtures import GOLDEN, Golden
from tests.simulated_streams import SimulatedStreams

CPU = DevicePolicy("cpu", "fp32")
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


class StubNetwork(nn.Module):
    """In place of W and G: the picture's level is its source's number plus its keypoints'."""

    def __init__(self, *_: object, **__: object) -> None:
        super().__init__()

    def forward(self, feature: Tensor, x_s: Tensor, x_d: Tensor) -> Tensor:
        level = feature[:, 0, 0, 0, 0] + 10 * x_s[:, 0, 0] + x_d[:, 0, 0]
        return level.to(torch.uint8)[:, None, None, None].expand(-1, 512, 512, 3)


@pytest.fixture
def stubbed(monkeypatch: pytest.MonkeyPatch, seeded: Networks) -> CudaDecoder:
    monkeypatch.setattr(cuda_decoder, "FrameNetwork", StubNetwork)
    options = CudaOptions(sizes=(1, 2, 4), slots=2)
    return CudaDecoder(seeded, CPU, options=options, streams=SimulatedStreams(3))


def source(number: float) -> Tensor:
    return torch.full((1, *cuda_decoder.FEATURE_SHAPE), number)


def keypoints(*levels: float) -> FloatArray:
    return np.repeat(np.asarray(levels, np.float32)[:, None, None], 21, axis=1).repeat(3, axis=2)


def levels(frames: np.ndarray) -> list[int]:
    assert frames.shape[1:] == (512, 512, 3)
    assert frames.dtype == np.uint8
    return [int(x) for x in frames[:, 100, 200, 1]]


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 11])
def test_batches_are_padded_or_split(stubbed: CudaDecoder, frames: int) -> None:
    sources = [source(i % 3) for i in range(frames)]
    driving = keypoints(*(20 * i for i in range(frames)))
    pictures = stubbed.decode(sources, keypoints(*range(frames)), driving)
    expected = [(i % 3) + 10 * i + 20 * i for i in range(frames)]
    assert levels(pictures) == [x % 256 for x in expected]


def test_one_source_serves_all_frames(stubbed: CudaDecoder) -> None:
    pictures = stubbed.decode([source(7)], keypoints(2), keypoints(1, 2, 3, 4, 5))
    assert levels(pictures) == [28, 29, 30, 31, 32]
    with pytest.raises(ValueError, match="2 sources"):
        stubbed.decode([source(7)] * 2, keypoints(2), keypoints(1, 2, 3))


def test_results_may_be_taken_in_any_order_and_once(stubbed: CudaDecoder) -> None:
    first = stubbed.submit([source(1)], keypoints(0), keypoints(1, 2))
    second = stubbed.submit([source(2)], keypoints(0), keypoints(3))
    with pytest.raises(RingFullError):
        stubbed.submit([source(3)], keypoints(0), keypoints(0))
    with pytest.raises(RingFullError):
        stubbed.decode([source(3)], keypoints(0), keypoints(0))
    assert levels(stubbed.result(second)) == [5]
    assert stubbed.done(first)  # earlier in the same queues
    assert levels(stubbed.decode([source(3)], keypoints(0), keypoints(0))) == [3]
    assert levels(stubbed.result(first)) == [2, 3]
    with pytest.raises(StaleLeaseError):
        stubbed.result(first)


def test_a_batch_that_needs_more_slots_than_are_free_is_refused_whole(
    stubbed: CudaDecoder,
) -> None:
    with pytest.raises(RingFullError, match="3 slots are needed, 2 of 2 are free"):
        stubbed.submit([source(0)], keypoints(0), keypoints(*range(9)))
    ticket = stubbed.submit([source(0)], keypoints(0), keypoints(*range(8)))
    with stubbed.reading(ticket) as parts:
        assert [len(part) for part in parts] == [4, 4]
    assert levels(stubbed.decode([source(9)], keypoints(0), keypoints(0))) == [9]


def test_discarded_frames_free_their_slots(stubbed: CudaDecoder) -> None:
    for i in range(5):
        stubbed.discard(stubbed.submit([source(i)], keypoints(0), keypoints(0)))
    assert levels(stubbed.decode([source(6)], keypoints(0), keypoints(1))) == [7]


def test_precision_plans() -> None:
    half = DevicePolicy("cuda", "fp16")
    fast, quality = PrecisionPlan.of(half, "fast"), PrecisionPlan.of(half, "quality")
    assert fast == PrecisionPlan(torch.float16, torch.float16)
    assert quality == PrecisionPlan(torch.float32, torch.float32)
    assert PrecisionPlan.of(CPU, "fast") == quality
    assert Layout.of(fast) == Layout(True, True)
    assert Layout.of(quality) == Layout(False, False)


def test_layout_turns_the_weights_alone() -> None:
    module = nn.Sequential(nn.Conv2d(4, 8, 3), nn.Conv3d(4, 8, 3), nn.Linear(2, 2))
    module.requires_grad_(False)
    before = {name: x.clone() for name, x in module.state_dict().items()}
    Layout(planes=True, volumes=True).apply(module)
    weights = module.state_dict()
    assert weights["0.weight"].is_contiguous(memory_format=torch.channels_last)
    assert weights["1.weight"].is_contiguous(memory_format=torch.channels_last_3d)
    assert all(torch.equal(before[name], x) for name, x in weights.items())


def test_the_picture_is_the_official_one(seeded: Networks, golden: Golden) -> None:
    decoder = CudaDecoder(seeded, CPU, options=CudaOptions(sizes=(1,), slots=1))
    image = decode_image((GOLDEN / "img_a_256.png").read_bytes())
    warping = golden("net_W")
    x_s, x_d = warping["kp_source"], warping["kp_driving"]
    (feature,) = decoder.features(image[None])
    frame = decoder.decode([feature], x_s, x_d)[0]
    expected = golden("net_chain")["image_sub"][0].transpose(1, 2, 0) * 255
    difference = np.abs(frame[::4, ::4].astype(int) - expected.astype(np.uint8))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3


def test_motion_is_the_official_one(seeded: Networks, golden: Golden) -> None:
    decoder = CudaDecoder.__new__(CudaDecoder)  # its motion extractor alone
    decoder._motion, decoder._streams = seeded.motion, SimulatedStreams(0)
    files = ("img_a_256.png", "img_b_256.png")
    images = np.stack([decode_image((GOLDEN / name).read_bytes()) for name in files])
    info, heads = decoder.motion(images), golden("net_M")
    assert np.allclose(info.pitch, heads["refined_pitch"][:, 0], atol=1e-4)
    assert np.allclose(info.kp, heads["refined_kp"], atol=2e-5)
    assert np.allclose(info.keypoints(), heads["x_s"], atol=2e-5)


@pytest.mark.gpu
@needs_cuda
@pytest.mark.parametrize(
    ("precision", "quality", "decibels"),
    [("bf16", "fast", 30.0), ("fp16", "fast", 38.0), ("fp16", "quality", 60.0)],
)
def test_on_a_gpu_graphs_give_the_eager_picture(
    seeded: Networks, golden: Golden, precision: str, quality: str, decibels: float
) -> None:
    policy = DevicePolicy("cuda", "bf16" if precision == "bf16" else "fp16")
    options = CudaOptions(sizes=(1, 2, 4))
    decoder = CudaDecoder(
        seeded, policy, "fast" if quality == "fast" else "quality", options=options
    )
    assert set(decoder.programs.executions.values()) == {"graph"}
    image = decode_image((GOLDEN / "img_a_256.png").read_bytes())
    warping = golden("net_W")
    x_s = warping["kp_source"]
    x_d = np.concatenate((warping["kp_driving"], warping["kp_driving_2"], warping["kp_source"]))
    features = decoder.features(image[None])
    frames = decoder.decode(features, x_s, x_d)
    reference = FrameNetwork(
        seeded,
        PrecisionPlan(torch.float32, torch.float32),
        torch.device("cpu"),
        algebra=False,
    )
    with torch.inference_mode():
        points = torch.from_numpy(x_s).expand(3, -1, -1)
        expected = reference(
            features[0].float().cpu().expand(3, -1, -1, -1, -1), points, torch.from_numpy(x_d)
        ).numpy()
    error = (frames.astype(float) - expected).reshape(3, -1)
    assert (10 * np.log10(255**2 / np.square(error).mean(axis=1)) > decibels).all()
    # one at a time, padded, in another order: the same bytes wherever the batch size is the same
    again = decoder.decode(features, x_s, x_d[::-1].copy())
    assert np.abs(again[::-1].astype(int) - frames).max() <= 1
