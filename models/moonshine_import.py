"""The encoder of the package ``moonshine-voice`` as a directory in the Hugging Face format.

The package (MIT, Useful Sensors / Moonshine AI) carries moonshine-tiny as ONNX Runtime files whose
matrix products are quantised to 8 bits: every weight is ``scale * (q - zero_point)``. Written out
as numbers they load into transformers' ``MoonshineEncoder``; the tensors get the names that
UsefulSensors/moonshine-tiny has.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.errors import MissingWeightsError, WeightsError
from models.shapes import AnyArray, FloatArray

ENCODER_FILE = "assets/tiny-en/encoder_model.ort"
PREFIX = "model.encoder."
LAYERS, WIDTH, HEADS, HIDDEN = 6, 288, 8, 1152
QUANTISED = (b"MatMulIntegerToFloat", b"DynamicQuantizeMatMul")
WEIGHT_INPUTS = {  # places of quantised weight, scale and zero point among a node's inputs
    b"MatMulIntegerToFloat": (1, 3, 5),
    b"DynamicQuantizeMatMul": (1, 2, 3),
}
PLAIN_NAMES = {  # initializers that the export renamed
    "conv1.weight_add_tensor": "conv1.weight",
    "conv2.weight_add_tensor": "conv2.weight",
    "conv3.weight_add_tensor": "conv3.weight",
}
ORT_DTYPES: dict[int, type[np.generic]] = {1: np.float32, 2: np.uint8, 3: np.int8, 7: np.int64}


@dataclass(frozen=True, slots=True)
class OrtGraph:
    """What an ONNX Runtime file holds: constants, and nodes as (kind, inputs, outputs)."""

    constants: dict[str, AnyArray]
    nodes: list[tuple[bytes, list[str], list[str]]]


def packaged_encoder() -> Path:
    """Where the package keeps its encoder. Raises MissingWeightsError when it is not installed."""
    try:
        import moonshine_voice
    except ImportError as error:
        raise MissingWeightsError(
            "the package moonshine-voice is not installed: pip install '.[train]'"
        ) from error
    return Path(moonshine_voice.__file__).parent / ENCODER_FILE


def import_moonshine(ort_file: Path, out: Path) -> None:
    """Write ``config.json``, ``model.safetensors`` (half precision) and
    ``preprocessor_config.json`` into ``out``.

    Raises WeightsError when the file is not moonshine-tiny's encoder.
    """
    import transformers
    from safetensors.torch import save_file

    weights = encoder_weights(read_ort_graph(ort_file))
    out.mkdir(parents=True, exist_ok=True)
    tensors = {
        PREFIX + name: torch.from_numpy(np.ascontiguousarray(value)).half()
        for name, value in sorted(weights.items())
    }
    save_file(tensors, out / "model.safetensors", {"format": "pt"})
    config = transformers.MoonshineConfig(
        hidden_size=WIDTH,
        intermediate_size=HIDDEN,
        encoder_num_hidden_layers=LAYERS,
        encoder_num_attention_heads=HEADS,
        decoder_num_hidden_layers=0,
        architectures=["MoonshineEncoder"],
        dtype="float16",
    )
    config.save_pretrained(out)
    preprocessor = {"do_normalize": False, "feature_size": 1, "sampling_rate": 16_000}
    (out / "preprocessor_config.json").write_text(json.dumps(preprocessor, indent=2) + "\n")


def read_ort_graph(path: Path) -> OrtGraph:
    """Constants and nodes of a file of ONNX Runtime's own format (a flatbuffer).

    Raises WeightsError when it is not one.
    """
    from onnxruntime.tools.ort_format_model.ort_flatbuffers_py.fbs.InferenceSession import (
        InferenceSession,
    )

    data = bytearray(path.read_bytes())
    if not InferenceSession.InferenceSessionBufferHasIdentifier(data, 0):
        raise WeightsError(f"{path} is no ONNX Runtime model")
    graph = InferenceSession.GetRootAs(data, 0).Model().Graph()
    tensors = (graph.Initializers(i) for i in range(graph.InitializersLength()))
    constants = {t.Name().decode(): _values(t) for t in tensors if t.DataType() in ORT_DTYPES}
    nodes = [
        (
            node.OpType(),
            [node.Inputs(j).decode() for j in range(node.InputsLength())],
            [node.Outputs(j).decode() for j in range(node.OutputsLength())],
        )
        for node in (graph.Nodes(i) for i in range(graph.NodesLength()))
    ]
    return OrtGraph(constants, nodes)


def _values(tensor: Any) -> AnyArray:
    shape = tensor.DimsAsNumpy().tolist() if tensor.DimsLength() else []
    values: AnyArray = tensor.RawDataAsNumpy().view(ORT_DTYPES[tensor.DataType()])
    return values.reshape(shape).copy()


def encoder_weights(graph: OrtGraph) -> dict[str, FloatArray]:
    """Every tensor of ``MoonshineEncoder`` by its name there.

    Raises WeightsError when the graph has others.
    """
    weights = {**dict(_plain(graph)), **dict(_dequantised(graph))}
    wanted = _expected_shapes()
    found = {name: value.shape for name, value in weights.items()}
    if found != wanted:
        odd = sorted(set(found.items()) ^ set(wanted.items()))
        raise WeightsError(f"this is not moonshine-tiny's encoder: {odd[0][0]} is missing or other")
    return weights


def _plain(graph: OrtGraph) -> Iterator[tuple[str, FloatArray]]:
    """Tensors that are stored as they are: convolutions, norms, biases."""
    for name, value in graph.constants.items():
        if value.dtype != np.float32:
            continue
        if re.fullmatch(r"(layers\.\d+\.[\w.]+|layer_norm|conv\d)\.(weight|bias)", name):
            yield name, value
        elif name in PLAIN_NAMES:
            yield PLAIN_NAMES[name], value
    for kind, inputs, outputs in graph.nodes:
        # the group norm's scale and shift lost their names in the export
        if outputs[0] == "/groupnorm/Mul_output_0" and kind == b"Mul":
            yield "groupnorm.weight", graph.constants[inputs[1]].reshape(-1)
        elif outputs[0] == "/groupnorm/Add_output_0" and kind == b"Add":
            yield "groupnorm.bias", graph.constants[inputs[1]].reshape(-1)


def _dequantised(graph: OrtGraph) -> Iterator[tuple[str, FloatArray]]:
    """Weights of the linear layers [out, in], named after their node's output:
    ``/layers.0/self_attn/q_proj/MatMul_output_0`` is ``layers.0.self_attn.q_proj.weight``."""
    for kind, inputs, outputs in graph.nodes:
        if kind not in QUANTISED:
            continue
        quantised, scale, zero_point = (graph.constants[inputs[i]] for i in WEIGHT_INPUTS[kind])
        weight = scale * (quantised.astype(np.float32) - zero_point.astype(np.float32))
        name = ".".join(outputs[0].strip("/").split("/")[:-1]) + ".weight"
        yield name, np.asarray(weight.T, np.float32)


def _expected_shapes() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {
        "conv1.weight": (WIDTH, 1, 127),
        "conv2.weight": (2 * WIDTH, WIDTH, 7),
        "conv2.bias": (2 * WIDTH,),
        "conv3.weight": (WIDTH, 2 * WIDTH, 3),
        "conv3.bias": (WIDTH,),
        "groupnorm.weight": (WIDTH,),
        "groupnorm.bias": (WIDTH,),
        "layer_norm.weight": (WIDTH,),
    }
    for layer in range(LAYERS):
        at = f"layers.{layer}."
        for part in ("q", "k", "v", "o"):
            shapes[f"{at}self_attn.{part}_proj.weight"] = (WIDTH, WIDTH)
        shapes[f"{at}mlp.fc1.weight"], shapes[f"{at}mlp.fc1.bias"] = (HIDDEN, WIDTH), (HIDDEN,)
        shapes[f"{at}mlp.fc2.weight"], shapes[f"{at}mlp.fc2.bias"] = (WIDTH, HIDDEN), (WIDTH,)
        shapes[f"{at}input_layernorm.weight"] = (WIDTH,)
        shapes[f"{at}post_attention_layernorm.weight"] = (WIDTH,)
    return shapes
