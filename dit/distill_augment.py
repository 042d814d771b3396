"""What rooms, microphones and codecs do to a voice, on a batch of waves at once.

The teacher hears the clean voice; the student has to see the same in the spoiled one.
"""

import torch

from models.timing import SAMPLE_RATE_HZ

CLEAN_SHARE = 0.3


def augment(wave: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Filter, room, noise and gain on waves [B, N]; each wave gets its own."""
    clean = _chance(wave, generator, CLEAN_SHARE)
    wave = torch.where(clean, wave, _with_noise(_filtered(wave, generator), generator))
    gain_db = _uniform(wave, generator, -12.0, 12.0)
    loud: torch.Tensor = wave * 10 ** (gain_db / 20)
    return loud.clamp(-1.0, 1.0)


def _uniform(
    wave: torch.Tensor, generator: torch.Generator, low: float, high: float
) -> torch.Tensor:
    """One number per wave [B, 1]."""
    numbers: torch.Tensor = low + (high - low) * torch.rand(wave.shape[0], 1, generator=generator)
    return numbers


def _chance(wave: torch.Tensor, generator: torch.Generator, share: float) -> torch.Tensor:
    """Which waves [B, 1] are touched."""
    return torch.rand(wave.shape[0], 1, generator=generator) < share


def _filtered(wave: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """A microphone's colour (smooth random curve, sometimes a low-pass) and a room's echo."""
    count, length = wave.shape
    size = 2 * length  # room for the echo, so that it does not wrap around
    spectrum = torch.fft.rfft(wave, size)
    bins = spectrum.shape[1]
    knots_db = 4.0 * torch.randn(count, 1, 9, generator=generator)
    colour_db = torch.nn.functional.interpolate(knots_db, bins, mode="linear", align_corners=True)
    response = torch.where(
        _chance(wave, generator, 0.7),
        10 ** (colour_db[:, 0] / 20),
        torch.ones_like(colour_db[:, 0]),
    )
    cutoff_hz = _uniform(wave, generator, 3000.0, 8000.0)
    frequency_hz = torch.linspace(0, SAMPLE_RATE_HZ / 2, bins)[None]
    low_pass = torch.sigmoid((cutoff_hz - frequency_hz) / 150.0)
    response = torch.where(_chance(wave, generator, 0.3), response * low_pass, response)
    echo = torch.fft.rfft(_room(count, generator), size)
    echo = torch.where(_chance(wave, generator, 0.5), echo, torch.ones_like(echo))
    heard: torch.Tensor = torch.fft.irfft(spectrum * response * echo, size)[:, :length]
    return heard


def _room(count: int, generator: torch.Generator) -> torch.Tensor:
    """Impulse responses [B, n]: the direct sound, then noise that fades by 60 dB in RT60."""
    time_s = torch.arange(SAMPLE_RATE_HZ // 2) / SAMPLE_RATE_HZ
    rt60_s = 0.1 + 0.5 * torch.rand(count, 1, generator=generator)
    fading: torch.Tensor = torch.exp(-6.9 * time_s / rt60_s)
    tail = torch.randn(count, len(time_s), generator=generator) * fading
    tail[:, : SAMPLE_RATE_HZ // 400] = 0.0
    direct_to_echo_db = 2.0 + 16.0 * torch.rand(count, 1, generator=generator)
    tail *= 10 ** (-direct_to_echo_db / 20) / tail.norm(dim=1, keepdim=True)
    tail[:, 0] = 1.0
    return tail


def _with_noise(wave: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Coloured noise at 5 to 45 dB below the voice, and sometimes another voice of the batch."""
    count, length = wave.shape
    white = torch.fft.rfft(torch.randn(count, length, generator=generator))
    slope = _uniform(wave, generator, 0.0, 1.0)  # 0 white, 1 brown
    bins = torch.arange(1, white.shape[1] + 1)[None]
    noise = torch.fft.irfft(white / bins**slope, length)
    level = wave.pow(2).mean(1, keepdim=True).sqrt().clamp_min(1e-3)
    noise = noise / noise.pow(2).mean(1, keepdim=True).sqrt().clamp_min(1e-9)
    snr_db = _uniform(wave, generator, 5.0, 45.0)
    noise = noise * level * 10 ** (-snr_db / 20) * _chance(wave, generator, 0.7)
    babble_db = _uniform(wave, generator, 12.0, 25.0)
    babble = wave.roll(1, 0) * 10 ** (-babble_db / 20) * _chance(wave, generator, 0.15)
    noisy: torch.Tensor = wave + noise + babble
    return noisy
