"""The streaming speech encoder: a network of models/speech_networks.py over a sliding window.

For every hop of frames one pass runs over a window of fixed length::

    | left_frames of the past | hop_frames: final | lookahead_frames: provisional |

The window's edges depend on sample numbers alone, so packets of any size, and a whole file, give
identical features. Outside the voice the window is zero.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.device import DEFAULT_CACHE_DIR, CompiledNetwork, DevicePolicy, compile_network
from models.mel import mel_db
from models.shapes import FloatArray
from models.speech import SpeechFeatures, concatenate, frame_count, loudness_db
from models.speech_networks import SpeechNetwork, load_speech_network
from models.timing import DEFAULT_HOP_FRAMES, SAMPLE_RATE_HZ, SAMPLES_PER_FRAME
from models.voice_buffer import VoiceBuffer

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


class SpeechEncoder:
    """Voice -> embeddings at 25 FPS. One encoder serves any number of streams of one thread."""

    def __init__(
        self,
        network: SpeechNetwork,
        policy: DevicePolicy,
        window: EncoderWindow | None = None,
        cache_dir: Path = DEFAULT_CACHE_DIR,
    ) -> None:
        self.window = window or EncoderWindow(network.left_frames)
        self.dim, self.name = network.dim, network.name
        self._network = network
        example = torch.zeros(1, self.window.frames * SAMPLES_PER_FRAME)
        self._compiled: CompiledNetwork = compile_network(
            network.module, (example,), policy, network.name, cache_dir
        )
        self._device = policy.device
        self._silence: FloatArray | None = None  # states of a window without a sound

    @classmethod
    def load(
        cls, directory: Path, policy: DevicePolicy, window: EncoderWindow | None = None
    ) -> "SpeechEncoder":
        """Any directory that ``load_speech_network`` reads; raises as it does.

        Without a ``window``, hop and look-ahead are 5 frames, and the past suits the network.
        """
        return cls(load_speech_network(directory), policy, window)

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
            states = self._network.module.to(self._device)(tensor)[0].float().cpu().numpy()
        return SpeechFeatures(self._at_frames(states, frames), loudness_db(padded), mel_db(padded))

    def start(self) -> "SpeechEncoderStream":
        """Begin a voice."""
        return SpeechEncoderStream(self)

    def encode_window(self, voice: FloatArray, real: slice) -> FloatArray:
        """One window of voice [N] -> embeddings [T, D] of all its frames.

        ``real`` are the samples that belong to the voice; the others are padding.
        """
        return self._at_frames(self._window_states(voice, real), self.window.frames)

    def _window_states(self, voice: FloatArray, real: slice) -> FloatArray:
        """States [S, D]. Digital silence, which is most of what an idle session hears, always has
        the same."""
        if self._silence is not None and not voice.any():
            return self._silence
        mask = np.zeros(len(voice), np.bool_)
        mask[real] = True
        states: FloatArray = self._compiled(self._prepared(voice, mask)[None])[0]
        if not voice.any():
            self._silence = states
        return states

    def _prepared(self, voice: FloatArray, real: Any) -> FloatArray:
        """Zero mean and unit variance over the real samples, where the encoder was trained so."""
        if not self._network.normalise or not real.any():
            return voice
        mean, variance = float(voice[real].mean()), float(voice[real].var())
        scaled = (voice - mean) / np.sqrt(variance + 1e-7)
        return np.where(real, scaled, 0.0).astype(np.float32)

    def _at_frames(self, states: FloatArray, frames: int) -> FloatArray:
        """States [S, D] -> [T, D] by linear interpolation at the frames' centres."""
        centre = (np.arange(frames) + 0.5) * SAMPLES_PER_FRAME - 0.5
        first = (self._network.field_samples - 1) / 2
        place = np.clip((centre - first) / self._network.stride_samples, 0, len(states) - 1)
        low = np.floor(place).astype(np.int64)
        high = np.minimum(low + 1, len(states) - 1)
        share = (place - low).astype(np.float32)[:, None]
        return np.asarray(states[low] * (1 - share) + states[high] * share, np.float32)


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
        features = SpeechFeatures(embeddings, loudness_db(voice), mel_db(voice))
        hop_end = window.left_frames + window.hop_frames
        final_end = window.left_frames + min(window.hop_frames, total_frames - start_frame)
        self._next_frame = min(start_frame + window.hop_frames, total_frames)
        return EncodedHop(start_frame, features[window.left_frames : final_end], features[hop_end:])
