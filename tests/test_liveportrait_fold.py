import torch
from torch import nn

from liveportrait.networks.layers import SpectralNormConv2d
from liveportrait.runtime.fold import ChannelScale, fold_after, folded, plain_convolution
from tests.liveportrait_small_networks import keypoint_pairs, small_networks


def test_a_batch_norm_disappears_into_the_convolution_before_it() -> None:
    torch.manual_seed(0)
    convolution = nn.Conv2d(5, 7, 3, padding=1, bias=False)
    norm = nn.BatchNorm2d(7).eval()
    for tensor in (norm.weight.data, norm.bias.data, norm.running_mean, norm.running_var):
        assert tensor is not None
        tensor.uniform_(0.5, 2)
    x = torch.randn(2, 5, 8, 8)
    wanted = norm(convolution(x))
    fold_after(convolution, norm)
    torch.testing.assert_close(convolution(x), wanted, atol=2e-6, rtol=1e-5)
    torch.testing.assert_close(ChannelScale(norm)(wanted), norm(wanted), atol=2e-6, rtol=1e-5)


def test_plain_convolution_has_same_padding_and_tensors_of_its_own() -> None:
    torch.manual_seed(0)
    weight, bias = torch.randn(4, 3, 7, 3, 3), torch.randn(4)
    convolution = plain_convolution(weight, bias)
    x = torch.randn(1, 3, 9, 6, 6)
    wanted = torch.nn.functional.conv3d(x, weight, bias, padding=(3, 1, 1))
    torch.testing.assert_close(convolution(x), wanted)
    convolution.weight.data.zero_()
    assert weight.abs().sum() > 0


def test_folded_networks_compute_the_same() -> None:
    networks = small_networks()
    before = {k: v.clone() for k, v in networks.generator.state_dict().items()}
    fast = folded(networks)
    image = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    feature = networks.appearance(image)
    torch.testing.assert_close(fast.appearance(image), feature, atol=2e-5, rtol=1e-4)
    x_s, x_d = (torch.from_numpy(x) for x in keypoint_pairs(2))
    wanted = networks.warping(feature, kp_driving=x_d, kp_source=x_s)
    warped = fast.warping(feature, kp_driving=x_d, kp_source=x_s)
    torch.testing.assert_close(warped.deformation, wanted.deformation, atol=1e-5, rtol=0)
    torch.testing.assert_close(warped.out, wanted.out, atol=1e-4, rtol=1e-4)
    picture = networks.generator(wanted.out)
    torch.testing.assert_close(fast.generator(wanted.out), picture, atol=1e-4, rtol=0)
    after = networks.generator.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_nothing_is_left_to_normalise_but_instances() -> None:
    fast = folded(small_networks())
    for network in (fast.appearance, fast.warping, fast.generator):
        left = [type(m) for m in network.modules()]
        assert not {nn.BatchNorm2d, nn.BatchNorm3d, SpectralNormConv2d} & set(left)
