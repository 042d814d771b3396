"""Every network on the device against the numbers of the official implementation."""

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from liveportrait.check.context import CheckContext, Stage
from liveportrait.runtime.cuda_graphs import convolution_settings
from models.device import TORCH_DTYPES, Precision
from models.shapes import AnyArray, FloatArray, Image

# float32: largest absolute differences that the golden README (section 4) suggests
LIMITS_FP32 = {
    "F feature": 2e-4,
    "M heads": 2e-5,
    "W deformation": 1e-5,
    "W occlusion map": 5e-5,
    "W out": 5e-4,
    "G image": 5e-4,
    "S deltas": 1e-5,
}
# half precision: root mean square of the difference over that of the value
LIMITS_HALF = {"bf16": 0.05, "fp16": 0.01, "fp32": 0.0}
PSNR_LIMITS_DB = {"bf16": 30.0, "fp16": 40.0, "fp32": 60.0}


def check_networks(context: CheckContext) -> Stage:
    """Each network alone, on golden inputs, in float32 without TF32 and in half precision."""
    rows = []
    for precision in ("fp32", *context.half_precisions):
        for name, ours, golden in _outputs(context, precision):
            rows.append(compared(name, precision, ours, golden))
            context.say(f"  {precision} {name}: {describe(rows[-1])}")
    return {"ok": all(row["ok"] for row in rows), "rows": rows}


def compared(name: str, precision: Precision, ours: AnyArray, golden: AnyArray) -> dict[str, Any]:
    """One line of the parity table."""
    difference = ours.astype(np.float64) - golden.astype(np.float64)
    spread = float(np.sqrt(np.square(golden.astype(np.float64)).mean()))
    row: dict[str, Any] = {
        "name": name,
        "precision": precision,
        "max_abs": float(np.abs(difference).max()),
        "mean_abs": float(np.abs(difference).mean()),
        "relative_rms": float(np.sqrt(np.square(difference).mean())) / spread,
    }
    if precision == "fp32":
        row["limit"] = f"max {LIMITS_FP32[name]:g}"
        row["ok"] = row["max_abs"] <= LIMITS_FP32[name]
    elif name == "G image":
        row["psnr_db"] = psnr_db(difference, 1.0)
        row["limit"] = f"{PSNR_LIMITS_DB[precision]:g} dB"
        row["ok"] = row["psnr_db"] >= PSNR_LIMITS_DB[precision]
    else:
        row["limit"] = f"relative {LIMITS_HALF[precision]:g}"
        row["ok"] = row["relative_rms"] <= LIMITS_HALF[precision]
    row["ok"] = bool(row["ok"] and np.isfinite(row["max_abs"]))
    return row


def psnr_db(difference: AnyArray, peak: float) -> float:
    """Peak signal to noise ratio, at most 100 dB."""
    mean_square = max(float(np.square(difference.astype(np.float64)).mean()), 1e-10 * peak**2)
    return float(10 * np.log10(peak**2 / mean_square))


def describe(row: dict[str, Any]) -> str:
    """A row for people."""
    psnr = f", {row['psnr_db']:.1f} dB" if "psnr_db" in row else ""
    verdict = "ok" if row["ok"] else f"FAILED, limit {row['limit']}"
    return f"max {row['max_abs']:.2e}, relative {row['relative_rms']:.1e}{psnr}: {verdict}"


def _outputs(
    context: CheckContext, precision: Precision
) -> Iterator[tuple[str, AnyArray, AnyArray]]:
    """Name, ours, golden for each network that is asked for."""
    runs = {"F": _appearance, "M": _motion, "W": _warping, "G": _generator, "S": _retargeting}
    for letter in context.options.networks:
        with torch.inference_mode(), convolution_settings(tf32=False, tune=False):
            results = list(runs[letter](context, TORCH_DTYPES[precision]))
        yield from results


Results = Iterator[tuple[str, AnyArray, AnyArray]]


def _appearance(context: CheckContext, dtype: torch.dtype) -> Results:
    network, golden = _there(context, context.networks.appearance, dtype), context.golden("net_F")
    pictures = _pictures(context, dtype)
    part = slice(None, None, 4)
    expected = np.concatenate((golden["feature_a_sub"], golden["feature_b_sub"]))
    yield "F feature", _array(network(pictures))[:, part, part, part, part], expected


def _motion(context: CheckContext, dtype: torch.dtype) -> Results:
    network, golden = _there(context, context.networks.motion, dtype), context.golden("net_M")
    heads = network(_pictures(context, dtype))._asdict()
    ours = np.concatenate([_array(x) for x in heads.values()], axis=1)
    yield "M heads", ours, np.concatenate([golden[f"raw_{name}"] for name in heads], axis=1)


def _warping(context: CheckContext, dtype: torch.dtype) -> Results:
    network, golden = _there(context, context.networks.warping, dtype), context.golden("net_W")
    feature = _tensor(context, context.golden("net_F")["feature_a_f16"], dtype)
    points = {name: _tensor(context, golden[name]) for name in ("kp_driving", "kp_source")}
    result = network(feature, **points)
    yield "W deformation", _array(result.deformation), golden["deformation"]
    yield "W occlusion map", _array(result.occlusion_map), golden["occlusion_map"]
    yield "W out", _array(result.out)[:, ::4, ::2, ::2], golden["out_sub"]


def _generator(context: CheckContext, dtype: torch.dtype) -> Results:
    network, golden = _there(context, context.networks.generator, dtype), context.golden("net_G")
    picture = _array(network(_tensor(context, context.golden("net_W")["out_f16"], dtype)))
    yield "G image", picture[:, :, ::3, ::3], golden["image_sub"]


def _retargeting(context: CheckContext, dtype: torch.dtype) -> Results:
    networks, golden = context.networks.retargeting, context.golden("net_S")
    source = golden["kp_source"].reshape(1, -1)
    conditions = {
        "stitching": golden["concat_feat"],
        "eye": np.concatenate((source, golden["eye_ratio"]), axis=1),
        "lip": np.concatenate((source, golden["lip_ratio"]), axis=1),
    }
    names = {"stitching": "stitch_delta", "eye": "eye_delta", "lip": "lip_delta"}
    ours = []
    for name, inputs in conditions.items():
        network = _there(context, getattr(networks, name), dtype)
        ours.append(_array(network(_tensor(context, inputs, dtype))).ravel())
    expected = np.concatenate([golden[name].ravel() for name in names.values()])
    yield "S deltas", np.concatenate(ours), expected


def _there(context: CheckContext, module: nn.Module, dtype: torch.dtype) -> nn.Module:
    return copy.deepcopy(module).to(context.device, dtype)


def _pictures(context: CheckContext, dtype: torch.dtype) -> Tensor:
    images: Image = np.stack([context.image("img_a_256"), context.image("img_b_256")])
    return _tensor(context, images.transpose(0, 3, 1, 2).astype(np.float32) / 255, dtype)


def _tensor(context: CheckContext, array: AnyArray, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(context.device, dtype)


def _array(tensor: Tensor) -> FloatArray:
    return np.asarray(tensor.float().cpu().numpy(), np.float32)
