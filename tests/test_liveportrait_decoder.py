import numpy as np
import pytest
import torch

from liveportrait.runtime import decoder
from liveportrait.runtime.decoder import EagerDecoder, frame_count, load_decoder, picture_bytes
from liveportrait.runtime.openvino_decoder import OpenVinoDecoder
from models.device import DevicePolicy
from models.errors import ConfigError
from tests.liveportrait_small_networks import keypoint_pairs, small_networks, small_pictures


def test_pictures_are_cut_off_not_rounded() -> None:
    values = torch.tensor([-0.2, 0.0, 0.9999, 1.0, 1.7]).reshape(1, 1, 1, 5).expand(1, 3, 1, 5)
    assert picture_bytes(values)[0, 0, :, 0].tolist() == [0, 0, 254, 255, 255]


def test_eager_batches_are_single_frames() -> None:
    eager = EagerDecoder(small_networks())
    sources = eager.features(small_pictures(2))
    x_s, x_d = keypoint_pairs(2)
    together = eager.decode(sources, x_s, x_d).astype(int)
    for i in range(2):
        alone = eager.decode(sources[i : i + 1], x_s[i : i + 1], x_d[i : i + 1])[0]
        assert np.abs(together[i] - alone).max() <= 1


def test_motion_gives_a_frame_for_each_picture() -> None:
    info = EagerDecoder(small_networks()).motion(small_pictures(2))
    assert len(info) == 2
    assert info.keypoints().shape == (2, 21, 3)
    assert np.abs(info.pitch[0] - info.pitch[1]) > 0


def test_counts() -> None:
    x_s, x_d = keypoint_pairs(3)
    assert frame_count([0], x_s[:1], x_d) == 3
    with pytest.raises(ValueError, match="for 0 frames"):
        frame_count([0], x_s[:1], x_d[:0])
    with pytest.raises(ValueError, match="2 source keypoints"):
        frame_count([0], x_s[:2], x_d)


def test_load_decoder_chooses_by_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[DevicePolicy] = []
    monkeypatch.setattr(
        OpenVinoDecoder, "__init__", lambda _self, _networks, policy: made.append(policy)
    )
    monkeypatch.setattr(decoder, "usable_cores", lambda: 3)
    networks = small_networks()
    half = DevicePolicy("cpu", "bf16", "openvino")
    assert isinstance(load_decoder(networks, half, "fast"), OpenVinoDecoder)
    load_decoder(networks, half, "quality")
    assert [(policy.precision, policy.threads) for policy in made] == [("bf16", 3), ("fp32", 3)]
    assert isinstance(load_decoder(networks, DevicePolicy()), EagerDecoder)
    with pytest.raises(ConfigError, match="accepted: fast, quality"):
        load_decoder(networks, half, "best")  # type: ignore[arg-type]
