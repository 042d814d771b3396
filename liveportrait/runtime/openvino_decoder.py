"""The decoder of the CPU: OpenVINO for the convolutions, torch for the sampling in space.

Three graphs take turns with torch: the source features, the convolutions of dense motion
(``mask_head``), and all behind the warped volume (``fast_generator``). Where the CPU multiplies
bfloat16, the graphs run in it with direct convolutions; elsewhere in float32 with Winograd's.
Keypoints, coordinates, heatmaps and the softmax over motions are float32 in torch (``warp``).

Graphs are built from the weights at each start, in about the time that reading them back would
take: with Winograd filters they are four times the official files.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from liveportrait.animation.keypoints import KeypointInfo
from liveportrait.animation.retargeters import Retargeters, TorchRetargeters
from liveportrait.networks.generator import SPADEGenerator
from liveportrait.networks.networks import Networks
from liveportrait.networks.sampling import sample_volume
from liveportrait.networks.warping import WarpingNetwork
from liveportrait.runtime.decoder import (
    SourceFeatures,
    frame_count,
    keypoint_info,
    network_input,
)
from liveportrait.runtime.fast_generator import FastGenerator, convolution
from liveportrait.runtime.fold import folded_module
from liveportrait.runtime.mask_head import FastPredictor
from liveportrait.runtime.openvino_graph import record
from liveportrait.runtime.warp import hourglass_input, mixed_deformation
from models.device import DevicePolicy, openvino_settings
from models.shapes import AnyArray, FloatArray, Image


@dataclass(frozen=True, slots=True)
class CpuSource:
    """A source picture's feature volume [1, 32, D, H, W] and its compressed form."""

    volume: Tensor
    compressed: Tensor  # [1, 4, D, H, W]


class PictureHead(nn.Module):
    """From the warped volume to the picture: the warping module's last layers and G."""

    def __init__(self, warping: WarpingNetwork, generator: SPADEGenerator, winograd: bool) -> None:
        super().__init__()
        third = folded_module(warping.third)
        self.third = convolution(third.conv.weight, third.conv.bias, winograd=winograd)
        self.activation, self.fourth = third.ac, warping.fourth
        self.generator = FastGenerator(generator, winograd=winograd)

    def forward(self, warped: Tensor, occlusion_map: Tensor) -> Tensor:
        """Warped volume with depth in its channels [B, 512, H, W] -> 0..255 [B, 3, 512, 512]."""
        feature = self.fourth(self.activation(self.third(warped))) * occlusion_map
        picture: Tensor = self.generator(feature)
        return picture * 255.0


class SourceHead(nn.Module):
    """F and the compression that only depends on the source."""

    def __init__(self, networks: Networks) -> None:
        super().__init__()
        self.appearance = folded_module(networks.appearance)
        self.compress = folded_module(networks.warping.dense_motion_network).compress

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Image 0..1 [B, 3, 256, 256] -> volume [B, 32, D, H, W], compressed [B, 4, D, H, W]."""
        volume = self.appearance(image)
        return volume, torch.relu(self.compress(volume))


class OpenVinoDecoder:
    """``FrameDecoder`` on a CPU. Frames are computed one after the other, each on all threads.

    The networks given stay as they are and are not needed afterwards. Building takes about
    a minute and 7 GB for the official sizes in float32.
    """

    def __init__(self, networks: Networks, policy: DevicePolicy) -> None:
        winograd = policy.precision == "fp32"
        config = networks.warping.config
        depth, height, width = config.volume_size
        motion = networks.warping.dense_motion_network
        self._policy = policy
        self._variance = config.dense_motion.keypoint_variance
        self._retargeters = TorchRetargeters(networks.retargeting)
        self._motion = networks.motion
        self._source = _Graph(SourceHead(networks), policy, (1, 3, 4 * height, 4 * width))
        inputs = (config.keypoints + 1) * (config.dense_motion.compressed_channels + 1)
        self._predictor = _Graph(
            FastPredictor(motion, winograd=winograd), policy, (1, inputs, depth, height, width)
        )
        self._head = _Graph(
            PictureHead(networks.warping, networks.generator, winograd),
            policy,
            (1, config.volume_channels * depth, height, width),
            (1, 1, height, width),
        )

    @property
    def retargeters(self) -> Retargeters:
        return self._retargeters

    def features(self, images: Image) -> list[SourceFeatures]:
        with torch.inference_mode():
            pictures = network_input(images)
            return [
                CpuSource(*map(torch.from_numpy, self._source(pictures[i : i + 1])))
                for i in range(len(pictures))
            ]

    def motion(self, images: Image) -> KeypointInfo:
        with torch.inference_mode():
            return keypoint_info(self._motion(network_input(images)))

    def decode(self, sources: Sequence[SourceFeatures], x_s: FloatArray, x_d: FloatArray) -> Image:
        count = frame_count(sources, x_s, x_d)
        driving, source = (torch.from_numpy(np.array(x, np.float32)) for x in (x_d, x_s))
        source = source.expand(count, -1, -1)
        with torch.inference_mode():
            frames = [
                self._frame(sources[i % len(sources)], source[i : i + 1], driving[i : i + 1])
                for i in range(count)
            ]
        return np.stack(frames)

    def _frame(self, features: CpuSource, kp_source: Tensor, kp_driving: Tensor) -> Image:
        volumes = hourglass_input(features.compressed, kp_driving, kp_source, self._variance)
        mask_logits, occlusion_map = self._predictor(volumes)
        deformation = mixed_deformation(torch.from_numpy(mask_logits), kp_driving, kp_source)
        warped = sample_volume(features.volume, deformation).flatten(1, 2)
        (picture,) = self._head(warped, occlusion_map)
        # the reference cuts 0..255 off to whole numbers too
        return np.ascontiguousarray(picture[0].transpose(1, 2, 0).astype(np.uint8))


class _Graph:
    """A recorded module, compiled for the CPU. Outputs are copies, float32."""

    def __init__(self, module: nn.Module, policy: DevicePolicy, *shapes: tuple[int, ...]) -> None:
        import openvino

        model = record(module.eval(), *shapes)
        compiled = openvino.Core().compile_model(model, "CPU", openvino_settings(policy))
        self._outputs = len(model.outputs)
        self._request: Any = compiled.create_infer_request()

    def __call__(self, *inputs: Tensor | AnyArray) -> list[FloatArray]:
        self._request.infer([np.ascontiguousarray(x) for x in inputs], share_inputs=True)
        return [
            np.array(self._request.get_output_tensor(i).data, np.float32)
            for i in range(self._outputs)
        ]
