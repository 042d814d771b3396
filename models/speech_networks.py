"""Speech encoders as published: local directories in the Hugging Face format -> torch modules.

| model_type | class of transformers | source |
|---|---|---|
| wav2vec2 | ``Wav2Vec2Model`` | arXiv 2006.11477 |
| hubert | ``HubertModel`` | arXiv 2106.07447 |
| moonshine | ``MoonshineEncoder`` | arXiv 2410.15608 |

facebook/wav2vec2-base-960h, TencentGameMate/chinese-hubert-base and UsefulSensors/moonshine-tiny
load unchanged. `python -m models import-moonshine` makes a directory of the last one's encoder.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError

from models.errors import MissingWeightsError, WeightsError
from models.timing import SAMPLE_RATE_HZ

# one (kernel, stride) per convolution; transformers has them in MoonshineEncoder's code
MOONSHINE_CONVOLUTIONS = ((127, 64), (7, 3), (3, 2))
# how much past a streaming window holds. Moonshine's states tell where in the window they lie, so
# a checkpoint goes with its window; 1 s of past is half the work of 2 s
LEFT_FRAMES = {"wav2vec2": 50, "hubert": 50, "moonshine": 25}


@dataclass(frozen=True)
class SpeechNetwork:
    """An encoder and what has to be known to use it.

    State s of the output is centred on sample ``stride_samples * s + (field_samples - 1) / 2``.
    """

    module: torch.nn.Module  # wave [B, N] at 16 kHz -> states [B, S, D]
    dim: int  # D
    stride_samples: int
    field_samples: int  # what one state's convolutions see
    normalise: bool  # whether the wave is given zero mean and unit variance
    name: str
    left_frames: int  # frames of the past that a streaming window holds


class LastHiddenState(torch.nn.Module):
    """A transformers model as a function of one tensor: wave [B, N] -> states [B, S, D]."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, wave: torch.Tensor) -> torch.Tensor:
        """wave: [B, N] -> [B, S, D]"""
        hidden: torch.Tensor = self.model(wave).last_hidden_state
        return hidden


def load_speech_network(directory: Path) -> SpeechNetwork:
    """Load ``config.json``, ``model.safetensors`` (or ``pytorch_model.bin``, read without
    running code) and, when there, ``preprocessor_config.json``; in eval mode and float32.

    Raises MissingWeightsError when a file is missing and WeightsError for another kind of model,
    another sample rate, and weights that do not fill the network.
    """
    config_path = directory / "config.json"
    if not config_path.is_file():
        raise MissingWeightsError(f"no speech encoder in {directory}: config.json is missing")
    if not any((directory / n).is_file() for n in ("model.safetensors", "pytorch_model.bin")):
        raise MissingWeightsError(
            f"no weights in {directory}; accepted: model.safetensors or pytorch_model.bin"
        )
    kind = json.loads(config_path.read_text()).get("model_type")
    if kind not in _MODELS:
        raise WeightsError(
            f"{config_path} is a {kind!r} model; accepted: {', '.join(sorted(_MODELS))}"
        )
    model = _MODELS[kind](directory)
    normalise = _reads_normalised(directory / "preprocessor_config.json")
    return wrap_speech_model(model, normalise=normalise, name=directory.name)


def wrap_speech_model(model: Any, *, normalise: bool, name: str) -> SpeechNetwork:
    """One of the classes of the table above, already built."""
    stride, field = _stride_and_field(model.config)
    module = LastHiddenState(model).eval()
    return SpeechNetwork(
        module,
        dim=int(model.config.hidden_size),
        stride_samples=stride,
        field_samples=field,
        normalise=normalise,
        name=name,
        left_frames=LEFT_FRAMES[model.config.model_type],
    )


def _load_wav2vec2(directory: Path) -> Any:
    import transformers

    return _from_pretrained(transformers.Wav2Vec2Model, directory)


def _load_hubert(directory: Path) -> Any:
    import transformers

    return _from_pretrained(transformers.HubertModel, directory)


def _load_moonshine(directory: Path) -> Any:
    from transformers.models.moonshine.modeling_moonshine import MoonshineEncoder

    # the published file holds the recogniser; only its encoder is wanted
    return _from_pretrained(MoonshineEncoder, directory, {r"^model\.encoder\.": ""})


_MODELS: dict[str, Callable[[Path], Any]] = {
    "wav2vec2": _load_wav2vec2,
    "hubert": _load_hubert,
    "moonshine": _load_moonshine,
}


def _from_pretrained(
    model_class: Any, directory: Path, key_mapping: dict[str, str] | None = None
) -> Any:
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    try:
        model, info = model_class.from_pretrained(
            directory,
            local_files_only=True,
            output_loading_info=True,
            dtype=torch.float32,
            key_mapping=key_mapping,
        )
    except (OSError, ValueError, RuntimeError, SafetensorError, UnpicklingError) as error:
        raise WeightsError(f"the weights in {directory} cannot be read: {error}") from error
    missing = sorted(k for k in info["missing_keys"] if k != "masked_spec_embed")
    if missing:
        raise WeightsError(f"{directory} lacks {len(missing)} weights, the first: {missing[0]}")
    return model.eval()


def _reads_normalised(path: Path) -> bool:
    """Whether the encoder wants its input normalised; transformers' default is yes."""
    if not path.is_file():
        return True
    settings = json.loads(path.read_text())
    rate_hz = settings.get("sampling_rate", SAMPLE_RATE_HZ)
    if rate_hz != SAMPLE_RATE_HZ:
        raise WeightsError(f"{path} asks for {rate_hz} Hz; accepted: {SAMPLE_RATE_HZ} Hz")
    return bool(settings.get("do_normalize", True))


def _stride_and_field(config: Any) -> tuple[int, int]:
    """Samples between two states, and samples that one state's convolutions see."""
    if config.model_type == "moonshine":
        convolutions: tuple[tuple[int, int], ...] = MOONSHINE_CONVOLUTIONS
    else:
        convolutions = tuple(zip(config.conv_kernel, config.conv_stride, strict=True))
    field, stride = 1, 1
    for kernel, step in convolutions:
        field += (kernel - 1) * stride
        stride *= step
    return stride, field
