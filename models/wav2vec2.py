"""The streaming speech encoder: transformers' ``Wav2Vec2Model`` over a sliding window.

Source: "wav2vec 2.0: A Framework for Self-Supervised Learning of Speech Representations"
(arXiv 2006.11477). Any local directory in the Hugging Face format loads, such as
facebook/wav2vec2-base-960h unchanged, with group-norm or layer-norm feature extractors.

For every hop of frames one pass runs over a window of fixed length::

    | left_frames of the past | hop_frames: final | lookahead_frames: provisional |

The window's edges depend on sample numbers alone, so packets of any size, and a whole file, give
identical features. Outside the voice the window is zero.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError

from models.device import DEFAULT_CACHE_DIR, CompiledNetwork, DevicePolicy, compile_network
from models.errors import MissingWeightsError, WeightsError
from models.shapes import FloatArray
from models.speech import SpeechFeatures, concatenate, frame_count, loudness_db
from models.timing import DEFAULT_HOP_FRAMES, ENCODER_HZ, SAMPLE_RATE_HZ, SAMPLES_PER_FRAME
from models.voice_buffer import VoiceBuffer

ENCODER_STRIDE = SAMPLE_RATE_HZ // ENCODER_HZ
KEPT_SECONDS = 60  # how far back ``rewind`` can go


@dataclass(frozen=True, slots=True)
class EncoderWindow:
    """The frames that one pass sees."""

    left_frames: int = 50
    hop_frames: int = DEFAULT_HOP_FRAMES
    lookahead_frames: int = 5

    @property
    def frames(self) -> int:
        """All frames of the window."""
        return self.left_frames + self.hop_frames + self.lookahead_frames


@dataclass(frozen=True, slots=True)
class EncodedHop:
    """What one pass gives: frames that stay, and a first view of the following ones."""

    start_frame: int
    final: SpeechFeatures  # hop_frames of them; fewer in the voice's last hop
    lookahead: SpeechFeatures  # lookahead_frames of them; silence after the voice's end


class _LastHiddenState(torch.nn.Module):
    """The encoder as a function of one tensor: wave [B, N] -> [B, S, D]."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, wave: torch.Tensor) -> torch.Tensor:
        hidden: torch.Tensor = self.model(wave).last_hidden_state
        return hidden


class SpeechEncoder:
    """Voice -> embeddings at 25 FPS. One encoder serves any number of streams of one thread."""

    def __init__(
        self,
        model: Any,
        policy: DevicePolicy,
        *,
        normalise: bool,
        window: EncoderWindow | None = None,
        name: str = "speech-encoder",
        cache_dir: Path = DEFAULT_CACHE_DIR,
    ) -> None:
        self.window = window or EncoderWindow()
        self.dim = int(model.config.hidden_size)
        self.normalise = normalise
        self.name = name
        self._centre = (_receptive_field(model.config) - 1) / 2
        self._module = _LastHiddenState(model).eval()
        example = torch.zeros(1, self.window.frames * SAMPLES_PER_FRAME)
        self._network: CompiledNetwork = compile_network(
            self._module, (example,), policy, name, cache_dir
        )
        self._device = policy.device

    @classmethod
    def load(
        cls, directory: Path, policy: DevicePolicy, window: EncoderWindow | None = None
    ) -> "SpeechEncoder":
        """Load ``config.json``, ``model.safetensors`` (or ``pytorch_model.bin``, read without
        running code) and, when there, ``preprocessor_config.json``.

        Raises MissingWeightsError when a file is missing and WeightsError for another kind of
        model, another sample rate or stride, and weights that do not fill the network.
        """
        model = load_wav2vec2(directory)
        normalise = _reads_normalised(directory / "preprocessor_config.json")
        return cls(model, policy, normalise=normalise, window=window, name=directory.name)

    def encode(self, wave: FloatArray) -> SpeechFeatures:
        """Voice [N] -> features of its ceil(N / 640) frames, through the stream's windows."""
        stream = self.start()
        hops = stream.push(wave) + stream.finish()
        if not hops:
            return SpeechFeatures(np.zeros((0, self.dim), np.float32), np.zeros(0, np.float32))
        return concatenate([hop.final for hop in hops])

    def encode_whole(self, wave: FloatArray) -> SpeechFeatures:
        """The same frames in one pass over all the voice [N]: what the windows approximate."""
        frames = frame_count(len(wave))
        if frames == 0:
            return self.encode(wave)
        padded = np.zeros(frames * SAMPLES_PER_FRAME, np.float32)
        padded[: len(wave)] = wave
        real = np.arange(len(padded)) < len(wave)
        tensor = torch.from_numpy(self._prepared(padded, real))[None].to(self._device)
        with torch.inference_mode():
            hidden = self._module.to(self._device)(tensor)[0].float().cpu().numpy()
        return SpeechFeatures(self._at_frames(hidden, frames), loudness_db(padded))

    def start(self) -> "SpeechEncoderStream":
        """Begin a voice."""
        return SpeechEncoderStream(self)

    def encode_window(self, voice: FloatArray, real: slice) -> FloatArray:
        """One window of voice [N] -> embeddings [T, D] of all its frames.

        ``real`` are the samples that belong to the voice; the others are padding.
        """
        mask = np.zeros(len(voice), np.bool_)
        mask[real] = True
        hidden = self._network(self._prepared(voice, mask)[None])[0]  # [S, D]
        return self._at_frames(hidden, self.window.frames)

    def _prepared(self, voice: FloatArray, real: Any) -> FloatArray:
        """Zero mean and unit variance over the real samples, where the encoder was trained so."""
        if not self.normalise or not real.any():
            return voice
        mean, variance = float(voice[real].mean()), float(voice[real].var())
        scaled = (voice - mean) / np.sqrt(variance + 1e-7)
        return np.where(real, scaled, 0.0).astype(np.float32)

    def _at_frames(self, hidden: FloatArray, frames: int) -> FloatArray:
        """States [S, D] at 50 Hz -> [T, D] by linear interpolation at the frames' centres."""
        centre = (np.arange(frames) + 0.5) * SAMPLES_PER_FRAME
        place = np.clip((centre - 0.5 - self._centre) / ENCODER_STRIDE, 0, len(hidden) - 1)
        low = np.floor(place).astype(np.int64)
        high = np.minimum(low + 1, len(hidden) - 1)
        share = (place - low).astype(np.float32)[:, None]
        return np.asarray(hidden[low] * (1 - share) + hidden[high] * share, np.float32)


class SpeechEncoderStream:
    """One voice that arrives in packets. Frames are numbered from the voice's first sample."""

    def __init__(self, encoder: SpeechEncoder) -> None:
        self._encoder = encoder
        self._window = encoder.window
        self._voice = VoiceBuffer(KEPT_SECONDS * SAMPLE_RATE_HZ)
        self._next_frame = 0  # start of the next hop

    def push(self, samples: FloatArray) -> list[EncodedHop]:
        """Add voice [n] and encode every hop whose look-ahead it completes."""
        hops: list[EncodedHop] = []
        # by parts, so that the windows of a whole file are read before the buffer forgets them
        for start in range(0, len(samples), SAMPLE_RATE_HZ):
            self._voice.append(np.asarray(samples[start : start + SAMPLE_RATE_HZ], np.float32))
            while self._voice.end >= self._end_sample(self._next_frame):
                hops.append(self._encode(self._next_frame + self._window.hop_frames))
        return hops

    def finish(self) -> list[EncodedHop]:
        """The voice is over: encode what is left, silence after it."""
        total_frames = frame_count(self._voice.end)
        hops: list[EncodedHop] = []
        while self._next_frame < total_frames:
            hops.append(self._encode(total_frames))
        return hops

    def rewind(self, frame: int) -> None:
        """Forget all voice from ``frame`` on; the next samples pushed are that frame's.

        Hops before it stay as they were given. Raises ValueError when ``frame`` is no multiple of
        the hop, lies beyond the voice, or further back than is kept.
        """
        if frame % self._window.hop_frames:
            raise ValueError(
                f"cannot rewind to frame {frame}: accepted are multiples of"
                f" {self._window.hop_frames}"
            )
        oldest = self._voice.first // SAMPLES_PER_FRAME + self._window.left_frames
        if self._voice.first and frame < oldest:
            raise ValueError(f"cannot rewind to frame {frame}: voice is kept from {oldest} on")
        # the last frame of a finished voice may be part silence
        missing = frame * SAMPLES_PER_FRAME - self._voice.end
        if 0 < missing < SAMPLES_PER_FRAME:
            self._voice.append(np.zeros(missing, np.float32))
        self._voice.truncate(frame * SAMPLES_PER_FRAME)
        self._next_frame = min(self._next_frame, frame)

    def _end_sample(self, frame: int) -> int:
        """The sample that must have come before the hop at ``frame`` can be encoded."""
        return (frame + self._window.hop_frames + self._window.lookahead_frames) * SAMPLES_PER_FRAME

    def _encode(self, total_frames: int) -> EncodedHop:
        """Encode the next hop; only its frames before ``total_frames`` are final."""
        start_frame, window = self._next_frame, self._window
        first = (start_frame - window.left_frames) * SAMPLES_PER_FRAME
        voice = self._voice.read(first, self._end_sample(start_frame))
        real = slice(max(-first, 0), min(self._voice.end - first, len(voice)))
        embeddings = self._encoder.encode_window(voice, real)
        features = SpeechFeatures(embeddings, loudness_db(voice))
        hop_end = window.left_frames + window.hop_frames
        final_end = window.left_frames + min(window.hop_frames, total_frames - start_frame)
        self._next_frame = min(start_frame + window.hop_frames, total_frames)
        return EncodedHop(start_frame, features[window.left_frames : final_end], features[hop_end:])


def load_wav2vec2(directory: Path) -> Any:
    """The ``Wav2Vec2Model`` of a directory, in eval mode and float32 (see SpeechEncoder.load)."""
    config_path = directory / "config.json"
    if not config_path.is_file():
        raise MissingWeightsError(f"no speech encoder in {directory}: config.json is missing")
    if not any((directory / n).is_file() for n in ("model.safetensors", "pytorch_model.bin")):
        raise MissingWeightsError(
            f"no weights in {directory}; accepted: model.safetensors or pytorch_model.bin"
        )
    kind = json.loads(config_path.read_text()).get("model_type")
    if kind != "wav2vec2":
        raise WeightsError(f"{config_path} is a {kind!r} model; accepted: wav2vec2")
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    try:
        model, info = transformers.Wav2Vec2Model.from_pretrained(
            directory, local_files_only=True, output_loading_info=True, dtype=torch.float32
        )
    except (OSError, ValueError, RuntimeError, SafetensorError, UnpicklingError) as error:
        raise WeightsError(f"the weights in {directory} cannot be read: {error}") from error
    missing = sorted(k for k in info["missing_keys"] if k != "masked_spec_embed")
    if missing:
        raise WeightsError(f"{directory} lacks {len(missing)} weights, the first: {missing[0]}")
    if int(np.prod(model.config.conv_stride)) != ENCODER_STRIDE:
        raise WeightsError(
            f"{config_path} has strides {model.config.conv_stride}; accepted: a product of"
            f" {ENCODER_STRIDE}, which is {ENCODER_HZ} Hz at {SAMPLE_RATE_HZ} Hz"
        )
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


def _receptive_field(config: Any) -> int:
    """Samples that one state of the convolutional feature extractor sees."""
    field, stride = 1, 1
    for kernel, step in zip(config.conv_kernel, config.conv_stride, strict=True):
        field += (kernel - 1) * stride
        stride *= step
    return field
