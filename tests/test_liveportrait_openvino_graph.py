from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from liveportrait.runtime.openvino_graph import record
from models.shapes import FloatArray


def _run(module: nn.Module, *inputs: Tensor) -> list[FloatArray]:
    import openvino

    model = record(module, *(tuple(x.shape) for x in inputs))
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    request: Any = openvino.Core().compile_model(model, "CPU", settings).create_infer_request()
    request.infer([x.numpy() for x in inputs])
    return [np.array(request.get_output_tensor(i).data) for i in range(len(model.outputs))]


class _Everything(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.plane = nn.Conv2d(4, 8, 3, padding=1, stride=2)
        self.each = nn.Conv2d(8, 8, (3, 1), padding=(1, 0), groups=8, bias=False)
        self.volume = nn.Conv3d(2, 2, 3, padding=1)
        self.shift = nn.Parameter(torch.randn(8, 1, 1))

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        out = functional.leaky_relu(self.each(self.plane(x)) + self.shift, 0.2)
        out = functional.instance_norm(functional.pad(out, (1, 1, 0, 2)))
        first, second = out.chunk(2, dim=1)
        out = torch.sigmoid(torch.cat((first * second, first - 2 * second), dim=1))
        out = functional.interpolate(out, scale_factor=2.0, mode="nearest")
        volume = functional.relu(self.volume(y.reshape(1, 2, 4, *y.shape[2:])))
        volume = functional.avg_pool3d(volume, (1, 2, 2)).flatten(1, 2).permute(0, 1, 3, 2)
        return functional.pixel_shuffle(out, 2), volume


def test_every_known_function_computes_what_torch_computes() -> None:
    torch.manual_seed(0)
    module = _Everything().eval()
    inputs = torch.randn(1, 4, 12, 12), torch.randn(1, 8, 6, 4)
    with torch.no_grad():
        wanted = module(*inputs)
    got = _run(module, *inputs)
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_allclose(a, b.numpy(), atol=1e-5)


class _Unknown(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = torch.fft.fft(x)
        return out


def test_an_unknown_function_is_refused() -> None:
    with pytest.raises(NotImplementedError, match="fft_fft"):
        record(_Unknown(), (1, 4))
