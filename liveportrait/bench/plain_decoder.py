"""The networks without a device's special decoder, one switch at a time."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from liveportrait.networks.networks import Networks
from liveportrait.runtime.cuda_graphs import compiled, convolution_settings
from liveportrait.runtime.decoder import frame_count, network_input
from liveportrait.runtime.frame_network import FrameNetwork, Layout, PrecisionPlan
from models.device import TORCH_DTYPES, Precision
from models.shapes import FloatArray, Image


@dataclass(frozen=True, slots=True)
class Switches:
    """What is on. The original has everything off: it even keeps what training would need."""

    inference_mode: bool = False
    precision: Precision = "fp32"
    tuned: bool = False  # cuDNN measures its algorithms
    channels_last: bool = False
    algebra: bool = False
    compiled: bool = False


class PlainDecoder:
    """Pictures by plain PyTorch; results are waited for after every call."""

    def __init__(self, networks: Networks, device: str, switches: Switches) -> None:
        self._switches, self._device = switches, torch.device(device)
        dtype = TORCH_DTYPES[switches.precision]
        self._plan = PrecisionPlan(dtype, dtype)
        planes = Layout(switches.channels_last, switches.channels_last)
        self._network = FrameNetwork(
            networks, self._plan, self._device, planes, algebra=switches.algebra
        )
        if switches.channels_last:
            planes.apply(self._network)
        self._network.requires_grad_(not switches.inference_mode)
        self._run = compiled(self._network) if switches.compiled else self._network
        self._appearance = networks.appearance

    def features(self, images: Image) -> list[Tensor]:
        """Crops uint8 [B, 256, 256, 3] -> a volume of each on the device."""
        with torch.no_grad():
            volumes = self._appearance(network_input(images))
        return [volume.to(self._device, self._plan.warping) for volume in volumes.split(1)]

    def decode(self, sources: Sequence[Tensor], x_s: FloatArray, x_d: FloatArray) -> Image:
        """As ``FrameDecoder.decode``."""
        count = frame_count(sources, x_s, x_d)
        on = self._switches
        with (
            torch.inference_mode() if on.inference_mode else nullcontext(),
            convolution_settings(tf32=False, tune=on.tuned),
        ):
            feature = torch.cat(list(sources)).expand(count, -1, -1, -1, -1)
            source, driving = (
                torch.from_numpy(np.array(x, np.float32)).to(self._device) for x in (x_s, x_d)
            )
            frames = self._run(feature, source.expand(count, -1, -1), driving)
            picture: Image = frames.detach().cpu().numpy()
            return picture
