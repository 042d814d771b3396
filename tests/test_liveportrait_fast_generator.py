import pytest
import torch

from liveportrait.runtime.fast_generator import FastGenerator
from tests.liveportrait_small_networks import small_networks


@pytest.mark.parametrize("winograd", [False, True])
def test_the_same_picture(winograd: bool) -> None:
    generator = small_networks().generator
    feature = torch.randn(2, 32, 16, 16, generator=torch.Generator().manual_seed(0))
    wanted = generator(feature)
    got = FastGenerator(generator, winograd=winograd)(feature)
    assert wanted.std() > 0.1
    torch.testing.assert_close(got, wanted, atol=2e-3, rtol=0)
    assert (got - wanted).abs().mean() < 2e-5
