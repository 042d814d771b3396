"""The engine's heart as callers see it: pictures in, pictures out, on whatever device.

``EagerDecoder`` is the reference: the networks as they are written, in plain PyTorch. The faster
decoders keep its interface and are held against its pictures.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, Protocol, get_args

import numpy as np
import torch
from torch import Tensor

from liveportrait.animation.head_pose import refine_heads
from liveportrait.animation.keypoints import KeypointInfo
from liveportrait.animation.retargeters import Retargeters, TorchRetargeters
from liveportrait.networks.motion_extractor import MotionHeads
from liveportrait.networks.networks import Networks
from models.device import TORCH_DTYPES, DevicePolicy
from models.errors import ConfigError
from models.shapes import FloatArray, Image

Quality = Literal["fast", "quality"]
SourceFeatures = Any  # what a decoder keeps of one source picture: for that decoder alone


class FrameDecoder(Protocol):
    """Source pictures and keypoints -> animated pictures. Not for two threads at once."""

    @property
    def retargeters(self) -> Retargeters:
        """Stitching, eye and lip retargeting."""
        ...

    def features(self, images: Image) -> list[SourceFeatures]:
        """Crops uint8 [B, 256, 256, 3] -> what ``decode`` needs of each."""
        ...

    def motion(self, images: Image) -> KeypointInfo:
        """Crops uint8 [B, 256, 256, 3] -> pose, expression, keypoints of B frames."""
        ...

    def decode(self, sources: Sequence[SourceFeatures], x_s: FloatArray, x_d: FloatArray) -> Image:
        """Animate: one source for each of B frames, or one for all.

        x_s and x_d [B, K, 3] (x_s may have one frame for all) -> uint8 [B, 512, 512, 3].
        Raises ValueError when the numbers of frames disagree.
        """
        ...


class EagerDecoder:
    """The networks in plain PyTorch on any device and in any precision."""

    def __init__(self, networks: Networks, policy: DevicePolicy | None = None) -> None:
        self._networks = networks
        self._policy = policy or DevicePolicy()
        for module in networks.by_official_name().values():
            module.to(self._policy.device)
        self._retargeters = TorchRetargeters(networks.retargeting)

    @property
    def retargeters(self) -> Retargeters:
        return self._retargeters

    def features(self, images: Image) -> list[SourceFeatures]:
        with torch.inference_mode(), self._autocast():
            volumes = self._networks.appearance(network_input(images).to(self._policy.device))
            return list(volumes.float().split(1))

    def motion(self, images: Image) -> KeypointInfo:
        with torch.inference_mode(), self._autocast():
            return keypoint_info(self._networks.motion(self._on_device(network_input(images))))

    def decode(self, sources: Sequence[SourceFeatures], x_s: FloatArray, x_d: FloatArray) -> Image:
        count = frame_count(sources, x_s, x_d)
        with torch.inference_mode(), self._autocast():
            feature = torch.cat(list(sources)).expand(count, -1, -1, -1, -1)
            driving = self._on_device(torch.from_numpy(np.ascontiguousarray(x_d)))
            source = self._on_device(torch.from_numpy(np.ascontiguousarray(x_s)))
            warped = self._networks.warping(
                feature, kp_driving=driving, kp_source=source.expand(count, -1, -1)
            )
            return picture_bytes(self._networks.generator(warped.out))

    def _on_device(self, tensor: Tensor) -> Tensor:
        return tensor.to(self._policy.device)

    def _autocast(self) -> torch.autocast:
        dtype = TORCH_DTYPES[self._policy.precision]
        return torch.autocast(self._policy.device, dtype, enabled=dtype is not torch.float32)


def network_input(images: Image) -> Tensor:
    """uint8 [B, H, W, 3] -> float32 0..1 [B, 3, H, W]."""
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 255


def picture_bytes(pictures: Tensor) -> Image:
    """0..1 [B, 3, H, W] -> uint8 [B, H, W, 3]; cut off, not rounded (``parse_output``)."""
    scaled = pictures.float().clamp(0, 1) * 255
    return np.ascontiguousarray(scaled.to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy())


def keypoint_info(heads: MotionHeads) -> KeypointInfo:
    """The motion extractor's raw heads in degrees and keypoints."""
    return refine_heads(**{name: x.float().cpu().numpy() for name, x in heads._asdict().items()})


def frame_count(sources: Sequence[SourceFeatures], x_s: FloatArray, x_d: FloatArray) -> int:
    """B of a ``decode`` call. Raises ValueError when its arguments disagree."""
    count = len(x_d)
    if len(sources) not in (1, count) or len(x_s) not in (1, count) or count == 0:
        raise ValueError(
            f"{len(sources)} sources and {len(x_s)} source keypoints for {count} frames; "
            "accepted: one for each frame, or one for all"
        )
    return count


def load_decoder(
    networks: Networks, policy: DevicePolicy | None = None, quality: Quality = "fast"
) -> FrameDecoder:
    """The fastest decoder for the policy; of this machine when none is given.

    fast: the policy's precision. quality: float32 all through. On a CPU without bfloat16 the two
    are the same. A frame is seconds of a CPU's work, so there the decoder takes every core that
    this process may use, whatever ``policy.threads`` says. Raises ConfigError for an unknown
    quality.
    """
    if quality not in get_args(Quality):
        raise ConfigError(f"quality is {quality!r}; accepted: {', '.join(get_args(Quality))}")
    policy = policy or DevicePolicy.for_this_machine()
    if policy.device == "cuda":
        from liveportrait.runtime.cuda_decoder import CudaDecoder

        return CudaDecoder(networks, policy, quality)
    policy = replace(policy, threads=usable_cores())
    if quality == "quality":
        policy = replace(policy, precision="fp32")
    if policy.backend == "openvino":
        from liveportrait.runtime.openvino_decoder import OpenVinoDecoder

        return OpenVinoDecoder(networks, policy)
    return EagerDecoder(networks, policy)


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
