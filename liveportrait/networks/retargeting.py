"""Stitching and retargeting S, R_lip, R_eye: keypoints -> offsets of keypoints.

Source: ``src/modules/stitching_retargeting_network.py``. What goes in and what the numbers that
come out mean is in ``liveportrait/animation/retargeters.py``.
"""

from torch import Tensor, nn

from liveportrait.networks.config import MlpConfig, RetargetingConfig


class RetargetingMlp(nn.Module):
    """Linear layers with ReLU between them."""

    def __init__(self, config: MlpConfig) -> None:
        super().__init__()
        self.config = config
        layers: list[nn.Module] = []
        width = config.inputs
        for hidden in config.hidden:
            layers += [nn.Linear(width, hidden), nn.ReLU()]
            width = hidden
        self.mlp = nn.Sequential(*layers, nn.Linear(width, config.outputs))

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs] -> [B, outputs]."""
        out: Tensor = self.mlp(x)
        return out


class RetargetingNetworks(nn.Module):
    """The three of them: stitching 126 -> 65, lip 65 -> 63, eye 66 -> 63."""

    def __init__(self, config: RetargetingConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or RetargetingConfig()
        self.stitching = RetargetingMlp(config.stitching)
        self.lip = RetargetingMlp(config.lip)
        self.eye = RetargetingMlp(config.eye)
