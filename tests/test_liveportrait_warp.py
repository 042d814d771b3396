import torch
from torch import Tensor

from liveportrait.networks.dense_motion import DenseMotionNetwork
from liveportrait.runtime.warp import (
    hourglass_input,
    interpolation_matrices,
    mixed_deformation,
)
from tests.liveportrait_small_networks import keypoint_pairs, small_networks


def _scene() -> tuple[DenseMotionNetwork, Tensor, Tensor, Tensor]:
    network = small_networks().warping.dense_motion_network
    x_s, x_d = (torch.from_numpy(x) for x in keypoint_pairs(2))
    volume = torch.randn(2, 4, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    return network, volume, x_d, x_s


def test_shifted_volumes_and_heatmaps_are_those_of_free_sampling() -> None:
    network, volume, x_d, x_s = _scene()
    wanted = network.hourglass_input(volume, network.sparse_motions(x_d, x_s), x_d, x_s)
    got = hourglass_input(volume, x_d, x_s, network.config.dense_motion.keypoint_variance)
    assert got.shape == wanted.shape
    torch.testing.assert_close(got, wanted, atol=2e-5, rtol=0)


def test_the_mix_of_shifts_is_the_mix_of_proposals() -> None:
    network, _, x_d, x_s = _scene()
    logits = torch.randn(2, 22, 4, 16, 16, generator=torch.Generator().manual_seed(1))
    wanted = network.mix(logits, network.sparse_motions(x_d, x_s))
    torch.testing.assert_close(mixed_deformation(logits, x_d, x_s), wanted, atol=2e-6, rtol=0)


def test_beyond_the_border_is_zero() -> None:
    matrix = interpolation_matrices(8, torch.tensor([0.0, 5.0]))
    assert matrix[1].abs().sum() == 0
    # the grid ends at -1 and 1, the volume half a voxel further in: the outer rows fade
    torch.testing.assert_close(matrix[0].sum(-1), torch.tensor([0.5, *[1.0] * 6, 0.5]))
