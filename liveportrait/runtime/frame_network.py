"""Warping module and generator as one network on one device: feature volume in, bytes out.

What stays in float32 whatever the precision: keypoints, coordinates, heatmaps, the sampling of
volumes, the softmax over motions (``networks/dense_motion.py``), the statistics of instance norms
(torch accumulates them so), and the picture from the generator's last convolution on.
"""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from liveportrait.networks.generator import SPADEGenerator
from liveportrait.networks.networks import Networks
from liveportrait.networks.warping import WarpingNetwork, WarpOutput
from liveportrait.runtime.cuda_generator import CudaGenerator
from liveportrait.runtime.cuda_warping import CudaWarping
from models.device import TORCH_DTYPES, DevicePolicy


@dataclass(frozen=True, slots=True)
class PrecisionPlan:
    """In what the weights and activations of the two networks are held.

    float32 is float32: TF32 stays off, also for the little that is float32 in a half-precision
    network, which is geometry.
    """

    warping: torch.dtype
    generator: torch.dtype

    @classmethod
    def of(cls, policy: DevicePolicy, quality: str) -> "PrecisionPlan":
        """fast: the policy's precision. quality: float32 all through, the reference's picture."""
        dtype = TORCH_DTYPES[policy.precision]
        if quality == "quality" or dtype is torch.float32:
            return cls(torch.float32, torch.float32)
        return cls(dtype, dtype)


@dataclass(frozen=True, slots=True)
class Layout:
    """Which convolutions see channels as the innermost axis, as half-precision tensor cores do."""

    planes: bool
    volumes: bool

    @classmethod
    def of(cls, plan: PrecisionPlan) -> "Layout":
        """Channels innermost where the precision is half."""
        return cls(plan.generator is not torch.float32, plan.warping is not torch.float32)

    def apply(self, module: nn.Module) -> None:
        """Turn the weights; activations follow the first convolution they meet."""
        for weight in module.parameters():
            if weight.ndim == 4 and self.planes:
                weight.data = weight.data.contiguous(memory_format=torch.channels_last)
            if weight.ndim == 5 and self.volumes:
                weight.data = weight.data.contiguous(memory_format=torch.channels_last_3d)


class FrameNetwork(nn.Module):
    """Copies of W and G for inference. The networks given stay as they are.

    ``algebra``: with the exact savings of ``cuda_warping`` and ``cuda_generator``, or as written.
    """

    def __init__(
        self,
        networks: Networks,
        plan: PrecisionPlan,
        device: torch.device,
        layout: Layout | None = None,
        *,
        algebra: bool = True,
    ) -> None:
        super().__init__()
        self.plan = plan
        warping: CudaWarping | WarpingNetwork
        generator: CudaGenerator | SPADEGenerator
        if algebra:
            warping, generator = CudaWarping(networks.warping), CudaGenerator(networks.generator)
        else:
            warping = copy.deepcopy(networks.warping)
            generator = copy.deepcopy(networks.generator)
        self.warping = warping.to(device, plan.warping)
        self.generator = generator.to(device, plan.generator)
        self.requires_grad_(False).eval()
        if device.type == "cuda":
            (layout or Layout.of(plan)).apply(self)

    def forward(self, feature: Tensor, x_s: Tensor, x_d: Tensor) -> Tensor:
        """Feature [B, 32, 16, 64, 64] in the plan's warping type, keypoints float32 [B, K, 3].

        Returns uint8 [B, 512, 512, 3].
        """
        return picture_bytes_on_device(self.picture(feature, x_s, x_d))

    def picture(self, feature: Tensor, x_s: Tensor, x_d: Tensor) -> Tensor:
        """The picture before it is cut to bytes: float32 0..1 [B, 3, 512, 512]."""
        warped = self.warping(feature, kp_driving=x_d, kp_source=x_s)
        out = warped.out if isinstance(warped, WarpOutput) else warped
        picture: Tensor = self.generator(out.to(self.plan.generator))
        return picture


def picture_bytes_on_device(pictures: Tensor) -> Tensor:
    """0..1 [B, 3, H, W] -> uint8 [B, H, W, 3] where it is; cut off, not rounded."""
    scaled = pictures.float().clamp(0, 1) * 255
    return scaled.to(torch.uint8).permute(0, 2, 3, 1).contiguous()
