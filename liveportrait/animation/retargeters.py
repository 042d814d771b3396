"""The three small networks that correct keypoints: stitching, eyes, lips."""

from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from models.shapes import AnyArray, FloatArray

if TYPE_CHECKING:
    from liveportrait.networks.retargeting import RetargetingNetworks


class Retargeters(Protocol):
    """Corrections of keypoints, NumPy in and out. ``x_s`` may have one frame for all T."""

    def stitch(self, x_s: FloatArray, x_d: FloatArray) -> FloatArray:
        """x_s, x_d [T, K, 3] -> x_d [T, K, 3] that fits the source's shoulders."""
        ...

    def eye_delta(self, x_s: FloatArray, ratios: FloatArray) -> FloatArray:
        """What to add to keypoints so that eyes open as asked.

        x_s [T, K, 3], ratios [T, 3] (``combined_eye_ratios``) -> [T, K, 3].
        """
        ...

    def lip_delta(self, x_s: FloatArray, ratios: FloatArray) -> FloatArray:
        """What to add to keypoints so that lips open as asked.

        x_s [T, K, 3], ratios [T, 2] (``combined_lip_ratios``) -> [T, K, 3].
        """
        ...


class TorchRetargeters:
    """The networks in PyTorch, on whatever device and in whatever precision they are.

    Source: ``stitching``, ``retarget_eye``, ``retarget_lip`` of ``src/live_portrait_wrapper.py``.
    """

    def __init__(self, networks: "RetargetingNetworks") -> None:
        self._networks = networks

    def stitch(self, x_s: FloatArray, x_d: FloatArray) -> FloatArray:
        delta = _run(self._networks.stitching, x_s, x_d)  # [T, 3 K + 2]
        points = x_d.shape[1]
        stitched = x_d + delta[:, : 3 * points].reshape(-1, points, 3)
        stitched[:, :, :2] += delta[:, None, 3 * points :]  # one shift in x and y
        return np.asarray(stitched, np.float32)

    def eye_delta(self, x_s: FloatArray, ratios: FloatArray) -> FloatArray:
        return _run(self._networks.eye, x_s, ratios).reshape(-1, x_s.shape[1], 3)

    def lip_delta(self, x_s: FloatArray, ratios: FloatArray) -> FloatArray:
        return _run(self._networks.lip, x_s, ratios).reshape(-1, x_s.shape[1], 3)


def retargeting_features(x_s: FloatArray, condition: AnyArray) -> FloatArray:
    """Source keypoints and a condition side by side, [T, 3 K + C]; one frame of x_s serves all.

    x_s [T, K, 3] or [1, K, 3]; condition [T, ...] is flattened to [T, C].
    """
    frames = condition.shape[0]
    source = np.broadcast_to(x_s.reshape(len(x_s), -1), (frames, x_s[0].size))
    return np.concatenate([source, condition.reshape(frames, -1)], axis=1, dtype=np.float32)


@torch.inference_mode()
def _run(network: torch.nn.Module, x_s: FloatArray, condition: AnyArray) -> FloatArray:
    weight = next(network.parameters())
    features = torch.from_numpy(retargeting_features(x_s, condition))
    result: torch.Tensor = network(features.to(weight.device, weight.dtype))
    return np.asarray(result.float().cpu().numpy(), np.float32)
