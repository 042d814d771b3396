"""Seeded, tiny speech encoders in the files of the Hugging Face format."""

import json
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import save_file


def tiny_config(norm: str = "group", **changes: Any) -> dict[str, Any]:
    """facebook/wav2vec2-base-960h's configuration with narrow layers."""
    return {
        "model_type": "wav2vec2",
        "architectures": ["Wav2Vec2ForCTC"],
        "hidden_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "conv_dim": [8, 8, 8, 8, 8, 8, 8],
        "conv_stride": [5, 2, 2, 2, 2, 2, 2],
        "conv_kernel": [10, 3, 3, 3, 3, 2, 2],
        "conv_bias": norm == "layer",
        "feat_extract_norm": norm,
        "do_stable_layer_norm": norm == "layer",
        "num_conv_pos_embeddings": 16,
        "num_conv_pos_embedding_groups": 2,
        "vocab_size": 32,
        **changes,
    }


def write_encoder(
    folder: Path,
    norm: str = "group",
    *,
    do_normalize: bool = True,
    file: str = "model.safetensors",
    seed: int = 0,
    **changes: Any,
) -> Path:
    """Write a CTC model's files: keys begin with ``wav2vec2.``, and there is an ``lm_head``."""
    folder.mkdir(parents=True, exist_ok=True)
    config = tiny_config(norm, **changes)
    torch.manual_seed(seed)
    model = transformers.Wav2Vec2ForCTC(transformers.Wav2Vec2Config(**config))
    weights = {}
    for key, value in model.state_dict().items():
        # the names of weight normalisation in the published files are older than torch's present
        old = key.replace("parametrizations.weight.original0", "weight_g")
        weights[old.replace("parametrizations.weight.original1", "weight_v")] = value.contiguous()
    assert "lm_head.weight" in weights
    assert "wav2vec2.encoder.pos_conv_embed.conv.weight_g" in weights
    if file.endswith(".safetensors"):
        save_file(weights, folder / file, {"format": "pt"})
    else:
        torch.save(weights, folder / file)
    (folder / "config.json").write_text(json.dumps(config))
    preprocessor = {"do_normalize": do_normalize, "feature_size": 1, "sampling_rate": 16000}
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    return folder


def write_hubert(folder: Path) -> Path:
    """A HuBERT that wants its input as it is."""
    config = transformers.HubertConfig(**{**tiny_config("layer"), "model_type": "hubert"})
    torch.manual_seed(0)
    return _save(transformers.HubertModel(config), folder)


def write_moonshine(folder: Path) -> Path:
    """A whole recogniser as published: the encoder's keys begin with ``model.encoder.``."""
    config = transformers.MoonshineConfig(
        vocab_size=16,
        hidden_size=32,
        intermediate_size=32,
        encoder_num_hidden_layers=2,
        decoder_num_hidden_layers=1,
        encoder_num_attention_heads=2,
        decoder_num_attention_heads=2,
    )
    torch.manual_seed(0)
    return _save(transformers.MoonshineForConditionalGeneration(config), folder)


def _save(model: Any, folder: Path) -> Path:
    transformers.utils.logging.disable_progress_bar()
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text('{"do_normalize": false}')
    return folder
