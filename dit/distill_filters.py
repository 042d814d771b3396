"""Where the student starts: its first convolution hears in bands, as an ear does.

Learnt from nothing, filters over the raw wave take most of a short training. So the first layer
begins as a bank of band-pass filters on the mel scale, each in two phases a quarter period apart,
and part of the second averages them into band levels. Training is free to move both.
Source of the idea: "LEAF: A Learnable Frontend for Audio Classification" (arXiv 2101.08596).
"""

import math

import torch
from torch import nn

from models.timing import SAMPLE_RATE_HZ

LOW_HZ, HIGH_HZ = 70.0, 7_600.0


def mel(frequency_hz: float) -> float:
    """Frequency on the mel scale."""
    return 2595.0 * math.log10(1.0 + frequency_hz / 700.0)


def hertz(mels: float) -> float:
    """The inverse of ``mel``."""
    return float(700.0 * (10.0 ** (mels / 2595.0) - 1.0))


def band_filters(bands: int, length: int) -> torch.Tensor:
    """Filters [2 bands, length]: cosines, then sines, under windows as long as their band needs."""
    places = torch.linspace(mel(LOW_HZ), mel(HIGH_HZ), bands + 2).tolist()
    edges_hz = [hertz(place) for place in places]
    time_s = (torch.arange(length) - (length - 1) / 2) / SAMPLE_RATE_HZ
    phases: tuple[list[torch.Tensor], list[torch.Tensor]] = ([], [])
    for low, centre, high in zip(edges_hz, edges_hz[1:], edges_hz[2:], strict=False):
        # a Hann window of this length is about as wide as the band; short ones blur time less
        seconds = min(max(4.0 / (high - low), 0.005), length / SAMPLE_RATE_HZ)
        window = torch.cos(math.pi * time_s / seconds).clamp_min(0.0) ** 2
        window = torch.where(time_s.abs() < seconds / 2, window, torch.zeros_like(window))
        # louder in high bands, where speech is weak, and so that the layer norm's epsilon is
        # reached only by what is quieter than -60 dBFS
        window = window / window.sum() * 8.0 * math.sqrt(centre / 500.0)
        for phase, wave in zip(phases, (torch.cos, torch.sin), strict=True):
            phase.append(window * wave(2 * math.pi * centre * time_s))
    return torch.stack(phases[0] + phases[1])


@torch.no_grad()
def start_from_bands(first: nn.Conv1d, second: nn.Conv1d) -> None:
    """Give the first two convolutions of a feature extractor their starting weights."""
    bands = first.out_channels // 2
    first.weight.zero_()
    first.weight[: 2 * bands, 0] = band_filters(bands, first.kernel_size[0])
    if first.bias is not None:
        first.bias.zero_()
    averaged = min(bands, second.out_channels)
    second.weight[:averaged] *= 0.1
    for band in range(averaged):
        for phase in (band, band + bands):
            second.weight[band, phase] += 1.0 / second.kernel_size[0]
