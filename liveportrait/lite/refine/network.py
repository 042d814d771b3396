"""The refiner: a U-Net that answers with light, not with pixels.

What it gives is a gain and an offset per colour for every two canonical units. Skin, hair and
teeth keep the sharpness of the photograph and of the bank; folds, shadows and the light in the
mouth are what it can draw.
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from liveportrait.lite.refine.window import STATES, WINDOW_PX
from models.errors import MissingWeightsError, WeightsError

PLANES = 7  # the window, the mask between the lips, the photograph's own window
GAIN_LIMIT, OFFSET_LIMIT = 0.8, 0.4
_FADE_PX = 9.0  # at each border


class _Block(nn.Module):
    """Two 3x3 convolutions."""

    def __init__(self, width_in: int, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width_in, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return F.silu(self.second(F.silu(self.first(x))))


class MouthRefiner(nn.Module):
    """window [B, PLANES, W, W] 0..1, state [B, STATES] -> light [B, 6, W, W]."""

    def __init__(self, widths: tuple[int, int, int] = (16, 32, 48)) -> None:
        super().__init__()
        fine, middle, coarse = widths
        self.enter = _Block(PLANES + STATES, fine)
        self.down = _Block(fine, middle)
        self.bottom = _Block(middle, coarse)
        self.merge_middle = nn.Conv2d(coarse + middle, middle, 1)
        self.up_middle = nn.Conv2d(middle, middle, 3, padding=1)
        self.merge_fine = nn.Conv2d(middle + fine, fine, 1)
        self.up_fine = nn.Conv2d(fine, fine, 3, padding=1)
        self.leave = nn.Conv2d(fine, 6, 3, padding=1)
        nn.init.zeros_(self.leave.weight)
        assert self.leave.bias is not None
        nn.init.zeros_(self.leave.bias)

    def forward(self, window: Tensor, state: Tensor) -> Tensor:
        """Log gains (first three) and offsets, limited."""
        told = state[:, :, None, None].expand(-1, -1, WINDOW_PX, WINDOW_PX)
        fine = self.enter(torch.cat([window - 0.5, told], 1))
        middle = self.down(F.avg_pool2d(fine, 2))
        coarse = self.bottom(F.avg_pool2d(middle, 2))
        up = F.interpolate(coarse, scale_factor=2.0, mode="bilinear")
        middle = F.silu(self.up_middle(F.silu(self.merge_middle(torch.cat([up, middle], 1)))))
        up = F.interpolate(middle, scale_factor=2.0, mode="bilinear")
        fine = F.silu(self.up_fine(F.silu(self.merge_fine(torch.cat([up, fine], 1)))))
        light = torch.tanh(self.leave(fine))
        return torch.cat([GAIN_LIMIT * light[:, :3], OFFSET_LIMIT * light[:, 3:]], 1)


def edge_fade() -> Tensor:
    """Share [W, W] of the light that a window takes: 0 along the border, so that no square
    shows."""
    place = torch.arange(WINDOW_PX, dtype=torch.float32)
    ramp = (torch.minimum(place, WINDOW_PX - 1 - place) / _FADE_PX).clamp(0, 1)
    ramp = ramp * ramp * (3 - 2 * ramp)
    return ramp[:, None] * ramp[None, :]


def lit(window: Tensor, light: Tensor) -> Tensor:
    """A window [B, 3, W, W] 0..1 in the light [B, 6, W, W]; what the training compares."""
    faded = light * edge_fade().to(light)
    return window * torch.exp(faded[:, :3]) + faded[:, 3:]


def save_refiner(network: MouthRefiner, path: Path) -> None:
    """Write the weights as half-precision safetensors, readable for everybody."""
    from safetensors.torch import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(
        {name: w.detach().half().contiguous() for name, w in network.state_dict().items()}, path
    )
    path.chmod(0o644)


def load_refiner(path: Path) -> MouthRefiner:
    """Raises MissingWeightsError without the file, WeightsError on other contents."""
    from safetensors.torch import load_file

    if not path.is_file():
        raise MissingWeightsError(
            f"{path} is missing; it belongs to the repository, "
            "`python -m liveportrait train-refiner` makes it anew"
        )
    network = MouthRefiner()
    try:
        network.load_state_dict({name: w.float() for name, w in load_file(path).items()})
    except Exception as error:  # safetensors raises its own type, other tensors a RuntimeError
        raise WeightsError(f"{path} holds no mouth refiner: {error}") from error
    return network.eval()
