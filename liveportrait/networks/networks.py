"""The five networks together."""

from dataclasses import dataclass

import torch
from torch import nn

from liveportrait.networks.appearance import AppearanceFeatureExtractor
from liveportrait.networks.generator import SPADEGenerator
from liveportrait.networks.motion_extractor import MotionExtractor
from liveportrait.networks.retargeting import RetargetingNetworks
from liveportrait.networks.warping import WarpingNetwork


@dataclass(frozen=True, slots=True)
class Networks:
    """F, M, W, G and the retargeting networks: for inference, on the CPU, float32."""

    appearance: AppearanceFeatureExtractor
    motion: MotionExtractor
    warping: WarpingNetwork
    generator: SPADEGenerator
    retargeting: RetargetingNetworks

    def by_official_name(self) -> dict[str, nn.Module]:
        """The seven modules that have a state dict of their own in the official files."""
        return {
            "appearance_feature_extractor": self.appearance,
            "motion_extractor": self.motion,
            "warping_module": self.warping,
            "spade_generator": self.generator,
            "stitching": self.retargeting.stitching,
            "lip": self.retargeting.lip,
            "eye": self.retargeting.eye,
        }


def empty_networks() -> Networks:
    """Networks of the official sizes whose tensors have names and shapes but no numbers yet."""
    with torch.device("meta"):
        networks = Networks(
            AppearanceFeatureExtractor(),
            MotionExtractor(),
            WarpingNetwork(),
            SPADEGenerator(),
            RetargetingNetworks(),
        )
    for module in (*networks.by_official_name().values(), networks.retargeting):
        module.eval().requires_grad_(False)
    return networks
