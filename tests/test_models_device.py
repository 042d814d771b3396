from pathlib import Path

import numpy as np
import pytest
import torch

from models.device import DevicePolicy, compile_network, network_key
from models.errors import ConfigError


def small_network(seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    return torch.nn.Sequential(
        torch.nn.Conv1d(2, 8, 3, padding=1), torch.nn.GELU(), torch.nn.LayerNorm(16)
    ).eval()


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"device": "tpu"}, "accepted: cpu, cuda"),
        ({"precision": "int4"}, "accepted: fp32, bf16, fp16"),
        ({"backend": "tvm"}, "accepted: torch, openvino"),
        ({"threads": 0}, "accepted: 1 and more"),
        ({"precision": "fp16"}, "on a cpu accepted: fp32, bf16"),
        ({"device": "cuda", "backend": "openvino"}, "on cuda accepted: torch"),
    ],
)
def test_senseless_policies_are_refused(settings: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        DevicePolicy(**settings)  # type: ignore[arg-type]


def test_this_machine_gets_a_policy_that_runs(tmp_path: Path) -> None:
    policy = DevicePolicy.for_this_machine()
    assert policy.device == ("cuda" if torch.cuda.is_available() else "cpu")
    wave = torch.randn(1, 2, 16)
    run = compile_network(small_network(), (wave,), policy, "small", tmp_path)
    assert run(wave.numpy()).shape == (1, 8, 16)


def test_openvino_agrees_with_torch(tmp_path: Path) -> None:
    network = small_network()
    x = torch.randn(3, 2, 16, generator=torch.Generator().manual_seed(1))
    reference = compile_network(network, (x,), DevicePolicy(backend="torch"), "small")
    fast = compile_network(network, (x,), DevicePolicy(backend="openvino"), "small", tmp_path)
    np.testing.assert_allclose(fast(x.numpy()), reference(x.numpy()), atol=1e-5)


def test_a_result_is_not_overwritten_by_the_next_call(tmp_path: Path) -> None:
    x = torch.randn(1, 2, 16)
    run = compile_network(
        small_network(), (x,), DevicePolicy(backend="openvino"), "small", tmp_path
    )
    first = run(x.numpy())
    kept = first.copy()
    run(x.numpy() + 1)
    np.testing.assert_array_equal(first, kept)


def test_a_network_is_converted_once(tmp_path: Path) -> None:
    x = torch.randn(1, 2, 16)
    policy = DevicePolicy(backend="openvino")
    before = compile_network(small_network(), (x,), policy, "small", tmp_path)(x.numpy())
    made = {p.name: p.stat().st_mtime_ns for p in tmp_path.iterdir()}
    after = compile_network(small_network(), (x,), policy, "small", tmp_path)(x.numpy())
    assert {p.name: p.stat().st_mtime_ns for p in tmp_path.iterdir()} == made
    assert {p.suffix for p in tmp_path.iterdir()} == {".xml", ".bin"}
    np.testing.assert_array_equal(before, after)


def test_the_cache_key_follows_weights_code_and_shapes() -> None:
    class Doubled(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 2 * x

    x = torch.zeros(1, 2, 16)
    keys = {
        network_key(small_network(0), (x,), "1"),
        network_key(small_network(1), (x,), "1"),
        network_key(small_network(0), (x[:, :, :8],), "1"),
        network_key(small_network(0), (x,), "2"),
        network_key(Doubled(), (x,), "1"),
    }
    assert len(keys) == 5
    assert network_key(small_network(0), (x,), "1") in keys
