"""The fast path against the plain one: algebra, graphs, the whole pipeline."""

import gc
from typing import Any

import numpy as np
import torch

from liveportrait.check.context import CheckContext, Stage
from liveportrait.check.parity import PSNR_LIMITS_DB, psnr_db
from liveportrait.runtime.cuda_decoder import CudaDecoder, CudaOptions
from liveportrait.runtime.cuda_graphs import convolution_settings
from models.device import Precision
from models.shapes import AnyArray, Image


def check_paths(context: CheckContext) -> Stage:
    """Frames of the decoder against the golden picture, and graphs against eager."""
    rows: list[dict[str, Any]] = []
    for precision in ("fp32", *context.half_precisions):
        decoder = new_decoder(context, precision, sizes=(1,) if context.options.quick else (1, 2))
        rows += _golden_picture(context, decoder, precision)
        rows += _graph_against_eager(context, decoder, precision)
        for row in rows[-2:]:
            context.say(f"  {precision} {row['name']}: {'ok' if row['ok'] else 'FAILED'} {row}")
        del decoder
        gc.collect()
    return {"ok": all(row["ok"] for row in rows), "rows": rows}


def new_decoder(
    context: CheckContext, precision: Precision, sizes: tuple[int, ...], slots: int = 3
) -> CudaDecoder:
    """A decoder in one precision; float32 is what the quality mode runs."""
    options = CudaOptions(sizes=sizes, slots=slots)
    return CudaDecoder(context.networks, context.policy(precision), options=options)


def _golden_picture(
    context: CheckContext, decoder: CudaDecoder, precision: Precision
) -> list[dict[str, Any]]:
    """F, W and G in a chain, through upload, program, download: bytes of the official picture."""
    x_s, x_d = context.keypoints()
    features = decoder.features(context.image("img_a_256")[None])
    frame = decoder.decode(features, x_s, x_d[:1])[0, ::4, ::4].astype(int)
    expected = context.golden("net_chain")["image_sub"][0].transpose(1, 2, 0) * 255
    difference = np.abs(frame - expected.astype(np.uint8))
    row: dict[str, Any] = {
        "name": "chain",
        "precision": precision,
        "max_levels": int(difference.max()),
        "differing": float((difference > 0).mean()),
        "psnr_db": psnr_db(difference, 255),
    }
    if precision == "fp32":
        row["limit"] = "1 level on 1e-3"
        row["ok"] = bool(row["max_levels"] <= 1 and row["differing"] <= 1e-3)
    else:
        row["limit"] = f"{PSNR_LIMITS_DB[precision]:g} dB"
        row["ok"] = row["psnr_db"] >= PSNR_LIMITS_DB[precision]
    return [row]


def _graph_against_eager(
    context: CheckContext, decoder: CudaDecoder, precision: Precision
) -> list[dict[str, Any]]:
    """Frames that are padded, split and pipelined against the network called directly."""
    x_s, x_d = context.keypoints()
    x_d = x_d[:1] if context.options.quick else x_d
    features = decoder.features(context.image("img_a_256")[None])
    frames = decoder.decode(features, x_s, x_d)
    levels = [
        np.abs(frames[i] - _eager(decoder, features[0], x_s, x_d[i : i + 1]))
        for i in range(len(x_d))
    ]
    largest = int(max(x.max() for x in levels))
    # another batch size may take another algorithm, which rounds differently
    differing = float(np.mean([(x > 1).mean() for x in levels]))
    row: dict[str, Any] = {
        "name": "graph against eager",
        "precision": precision,
        "execution": sorted(set(decoder.programs.executions.values())),
        "fallbacks": decoder.programs.fallbacks,
        "max_levels": largest,
        "differing_by_more_than_1": differing,
        "limit": "1 level" if precision == "fp32" else "40 dB",
        "psnr_db": psnr_db(np.stack(levels), 255),
    }
    row["ok"] = largest <= 1 if precision == "fp32" else row["psnr_db"] >= 40
    return [row]


def _eager(decoder: CudaDecoder, feature: torch.Tensor, x_s: AnyArray, x_d: AnyArray) -> Image:
    """One frame by the decoder's network without graph, ring or streams; signed, for subtracting"""
    where = feature.device
    with torch.inference_mode(), convolution_settings(tf32=False, tune=False):
        frame = decoder.network(
            feature, torch.from_numpy(x_s).to(where), torch.from_numpy(x_d.copy()).to(where)
        )
        result: Image = frame[0].cpu().numpy().astype(np.int16)
    return result
