"""Warping module and generator as one network on one device: feature volume in, bytes out.

What stays in float32 whatever the precision: keypoints, coordinates, heatmaps, the sampling of
volumes, the softmax over motions (``networks/dense_motion.py``), the statistics of instance norms
(torch accumulates them so), and from the generator's last convolution on: a sigmoid in bfloat16
knows 128 grey levels above a half, fewer than the picture shows.
"""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from liveportrait.networks.generator import SpadeBlock, SPADEGenerator
from liveportrait.networks.networks import Networks
from liveportrait.networks.warping import WarpingNetwork, WarpOutput
from liveportrait.runtime.cuda_warping import CudaWarping
from liveportrait.runtime.fast_generator import FastGenerator
from liveportrait.runtime.offset_phases import OffsetPhaseConv
from models.device import TORCH_DTYPES, DevicePolicy


@dataclass(frozen=True, slots=True)
class PrecisionPlan:
    """In what the weights and activations of the two networks are held."""

    warping: torch.dtype
    generator: torch.dtype
    tf32: bool  # float32 convolutions on tensor cores, with 10 bits of mantissa

    @classmethod
    def of(cls, policy: DevicePolicy, quality: str) -> "PrecisionPlan":
        """fast: the policy's precision. quality: float32 all through, the reference's picture."""
        dtype = TORCH_DTYPES[policy.precision]
        if quality == "quality" or dtype is torch.float32:
            return cls(torch.float32, torch.float32, tf32=False)
        return cls(dtype, dtype, tf32=True)

    @classmethod
    def mixed(cls, generator: torch.dtype) -> "PrecisionPlan":
        """Exact motion, half-precision picture: between the two, for measuring."""
        return cls(torch.float32, generator, tf32=False)


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
        for layer in module.modules():
            if isinstance(layer, nn.Conv2d) and self.planes:
                _turn(layer.weight, torch.channels_last)
            if isinstance(layer, nn.Conv3d) and self.volumes:
                _turn(layer.weight, torch.channels_last_3d)


def _turn(weight: Tensor, form: torch.memory_format) -> None:
    weight.data = weight.data.contiguous(memory_format=form)


class FrameNetwork(nn.Module):
    """Copies of W and G for inference. The networks given stay as they are.

    ``algebra``: with the exact savings of ``fast_generator`` and ``cuda_warping``, or as written.
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
        generator: FastGenerator | SPADEGenerator
        warping: CudaWarping | WarpingNetwork
        if algebra:
            generator = FastGenerator(networks.generator, winograd=False)
            for block, original, scale in (
                (generator.up_0, networks.generator.up_0, 2),
                (generator.up_1, networks.generator.up_1, 4),
            ):
                block.shared = shared_convolution(original, scale)
            warping = CudaWarping(networks.warping)
        else:
            generator = copy.deepcopy(networks.generator)
            warping = copy.deepcopy(networks.warping)
        last = copy.deepcopy(networks.generator.conv_img)
        generator.conv_img = nn.Sequential(last, _Float32())
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


def shared_convolution(block: SpadeBlock, scale: int) -> OffsetPhaseConv:
    """``mlp_shared`` of all normalisations of a block in one, from the feature's own size."""
    spades = [block.norm_0, block.norm_1, *([block.norm_s] if block.learned_shortcut else [])]
    convolutions = [spade.mlp_shared[0] for spade in spades]
    weight = torch.cat([x.weight for x in convolutions])
    return OffsetPhaseConv(weight, torch.cat([x.bias for x in convolutions]), scale)


class _Float32(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.float()


def picture_bytes_on_device(pictures: Tensor) -> Tensor:
    """0..1 [B, 3, H, W] -> uint8 [B, H, W, 3] where it is; cut off, not rounded."""
    scaled = pictures.float().clamp(0, 1) * 255
    return scaled.to(torch.uint8).permute(0, 2, 3, 1).contiguous()
