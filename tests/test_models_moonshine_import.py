"""Moonshine's encoder out of its package, against ONNX Runtime on the package's own file."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.errors import MissingWeightsError, WeightsError
from models.moonshine_import import (
    OrtGraph,
    encoder_weights,
    import_moonshine,
    packaged_encoder,
    read_ort_graph,
)
from models.shapes import FloatArray
from models.sound import read_sound
from models.speech_networks import load_speech_network

SAMPLE = Path(__file__).resolve().parent.parent / "client/web/samples/hello.wav"
packaged = pytest.mark.skipif(
    importlib.util.find_spec("moonshine_voice") is None,
    reason="the package moonshine-voice is not installed (pip install '.[train]')",
)


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("moonshine")
    import_moonshine(packaged_encoder(), folder)
    return folder


def published_states(wave: FloatArray) -> FloatArray:
    import onnxruntime

    options: Any = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(str(packaged_encoder()), options)
    mask = np.ones((1, len(wave)), np.int64)
    states: FloatArray = session.run(None, {"input_values": wave[None], "attention_mask": mask})[0][
        0
    ]
    return states


@packaged
def test_states_are_the_packages_up_to_its_8_bit_arithmetic(imported: Path) -> None:
    wave = read_sound(SAMPLE)[: 4 * 16_000]
    network = load_speech_network(imported)
    with torch.inference_mode():
        states = network.module(torch.from_numpy(wave)[None])[0].numpy()
    published = published_states(wave)
    assert (network.dim, network.stride_samples, network.field_samples) == (288, 384, 895)
    assert states.shape == published.shape
    # the package rounds the activations of every layer to 8 bits, here they are floats
    centre = published.mean(0)
    a, b = states - centre, published - centre
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    assert np.median(cosine) > 0.998
    assert np.quantile(cosine, 0.05) > 0.99


@packaged
def test_half_precision_loses_nothing_of_note(imported: Path) -> None:
    exact = encoder_weights(read_ort_graph(packaged_encoder()))
    stored = load_speech_network(imported).module.state_dict()
    for name, value in exact.items():
        kept = stored[f"model.{name}"].numpy()
        assert np.abs(kept - value).max() <= 6e-4 * np.abs(value).max(), name


def test_other_graphs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="not moonshine-tiny's encoder"):
        encoder_weights(OrtGraph({"conv1.weight_add_tensor": np.zeros((2, 1, 3), np.float32)}, []))
    (tmp_path / "x.ort").write_bytes(b"nothing of the kind")
    with pytest.raises(WeightsError, match="no ONNX Runtime model"):
        read_ort_graph(tmp_path / "x.ort")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "moonshine_voice", None)
    with pytest.raises(MissingWeightsError, match="pip install"):
        packaged_encoder()
