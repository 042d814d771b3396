"""What a mouth should be doing, guessed from the sound alone: the measure of who is in step.

A small convolutional network hears mel bands and answers opening, width and jaw. It is trained on
synthesised speech, whose phonemes and their times are known (``dit/articulation.py`` says what a
mouth does for them), so that it owes nothing to any clip, nor to the speech encoder in use.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from dit.articulation import Style, articulate
from dit.speech_corpus import read_corpus
from models.errors import MissingWeightsError, WeightsError
from models.shapes import FloatArray
from models.speech import loudness_db
from models.timing import FPS, SAMPLE_RATE_HZ, SAMPLES_PER_FRAME

READ = (0, 1, 3)  # opening, width, jaw of articulation.ARTICULATORS: what is seen well in a clip
MEL_BANDS, MEL_HOP, MEL_WINDOW = 40, 160, 400  # samples
VOICE_CHANNELS = 2 * MEL_BANDS  # the frame's first and second half
SLOW_HZ = 0.8  # movement below is posture and room, not speech
CUT_FRAMES = 150  # length of a training window


@dataclass(frozen=True, slots=True)
class VoiceToMouthConfig:
    """Size of the network, kept beside its weights."""

    width: int = 96
    layers: int = 2


class VoiceToMouth(nn.Module):
    """Mel bands [B, 2 M, T] -> opening, width, jaw [B, 3, T] in units of their own spread."""

    def __init__(self, config: VoiceToMouthConfig) -> None:
        super().__init__()
        self.config = config
        self.first = nn.Conv1d(VOICE_CHANNELS, config.width, 3, padding=1)
        self.middle = nn.ModuleList(
            nn.Conv1d(config.width, config.width, 3, padding=1) for _ in range(config.layers)
        )
        self.last = nn.Conv1d(config.width, len(READ), 1)

    def forward(self, voice: Tensor) -> Tensor:
        """See the class."""
        hidden = torch.relu(self.first(voice))
        for layer in self.middle:
            dropped = nn.functional.dropout(hidden, 0.2, self.training)
            hidden = hidden + torch.relu(layer(dropped))
        return torch.as_tensor(self.last(hidden))

    @torch.inference_mode()
    def guess(self, wave: FloatArray) -> FloatArray:
        """Sound [N] of 640 T samples -> the mouth's quick movement [T, 3]."""
        voice = torch.from_numpy(mel_frames(wave).T[None])
        return quick(self(voice)[0].numpy().T)

    def save(self, folder: Path) -> None:
        """Write ``config.json`` and ``model.safetensors``."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(asdict(self.config), indent=1) + "\n")
        save_file(self.state_dict(), folder / "model.safetensors")

    @classmethod
    def load(cls, folder: Path) -> "VoiceToMouth":
        """Raises MissingWeightsError without its files, WeightsError for others."""
        path = folder / "model.safetensors"
        if not path.is_file():
            raise MissingWeightsError(
                f"{path} is missing; it ships with Visavis, and "
                "`python -m dit train-voice-to-mouth` makes it"
            )
        try:
            config = VoiceToMouthConfig(**json.loads((folder / "config.json").read_text()))
            network = cls(config)
            network.load_state_dict(load_file(path))
        except (OSError, ValueError, TypeError, RuntimeError, SafetensorError) as error:
            raise WeightsError(f"{folder} holds no voice-to-mouth network: {error}") from error
        return network.eval()


def mel_frames(wave: FloatArray) -> FloatArray:
    """Log-mel bands [T, 2 M] of T whole frames: each band less its mean, of about unit spread."""
    import librosa

    frames = len(wave) // SAMPLES_PER_FRAME
    # padded so that column 4 f + 4 of the transform lies at the middle of frame f
    padded = np.pad(wave, (SAMPLES_PER_FRAME // 2, SAMPLES_PER_FRAME))
    power = librosa.feature.melspectrogram(
        y=padded,
        sr=SAMPLE_RATE_HZ,
        n_fft=512,
        win_length=MEL_WINDOW,
        hop_length=MEL_HOP,
        n_mels=MEL_BANDS,
        fmin=50,
        fmax=7600,
    )
    level = np.log(power + 1e-6).T  # [4 T + n, M]
    at = 4 * np.arange(frames)
    halves = [(level[at + 2] + level[at + 3]) / 2, (level[at + 4] + level[at + 5]) / 2]
    bands = np.concatenate(halves, 1)
    bands = np.maximum(bands, np.quantile(bands, 0.95) - 8.0)  # below is the room
    return np.asarray((bands - bands.mean(0)) / (bands.std(0) + 0.3), np.float32)


def quick(tracks: FloatArray) -> FloatArray:
    """Tracks [T, C] without what moves slower than speech (forward and backward Butterworth)."""
    from scipy.signal import butter, filtfilt

    b, a = butter(2, SLOW_HZ / (FPS / 2), "high")
    return np.asarray(filtfilt(b, a, tracks, axis=0, padlen=min(15, len(tracks) - 2)), np.float32)


def train_voice_to_mouth(
    corpus: Path, out: Path, *, steps: int = 2000, batch: int = 16, seed: int = 0
) -> float:
    """Train on a folder that ``python -m dit speech-corpus`` made -> the mean squared error over
    the last hundred steps, in units of the tracks' variance."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    voices, mouths = _training_pairs(corpus)
    network = VoiceToMouth(VoiceToMouthConfig()).train()
    optimiser = torch.optim.AdamW(network.parameters(), 1e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    losses = []
    for _ in range(steps):
        voice, mouth = _draw(voices, mouths, batch, rng)
        # noise in every band and a tilt of the whole: rooms and microphones never heard
        voice = voice + 0.4 * torch.randn_like(voice) + 0.5 * torch.randn(batch, VOICE_CHANNELS, 1)
        loss = nn.functional.mse_loss(network(voice), mouth)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        losses.append(float(loss.detach()))
    network.eval().save(out)
    return float(np.mean(losses[-100:]))


def _training_pairs(corpus: Path) -> tuple[list[FloatArray], list[FloatArray]]:
    """Mel bands [T, 2 M] and quick mouth tracks [T, 3] of unit spread, for every item."""
    voices, mouths = [], []
    for item in read_corpus(corpus):
        voice = mel_frames(item.wave)
        level_db = loudness_db(item.wave)[: len(voice)]
        tracks = articulate(item.phonemes, level_db, Style()).articulators
        voices.append(voice)
        mouths.append(quick(tracks[:, READ]))
    if not voices:
        raise MissingWeightsError(f"no speech in {corpus}; `python -m dit speech-corpus` makes it")
    spread = np.concatenate(mouths).std(0)
    return voices, [mouth / spread for mouth in mouths]


def _draw(
    voices: list[FloatArray], mouths: list[FloatArray], batch: int, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    pairs = []
    for index in rng.integers(len(voices), size=batch):
        start = int(rng.integers(len(voices[index]) - CUT_FRAMES))
        cut = slice(start, start + CUT_FRAMES)
        pairs.append((voices[index][cut].T, mouths[index][cut].T))
    voice, mouth = (np.stack(part) for part in zip(*pairs, strict=True))
    return torch.from_numpy(voice), torch.from_numpy(mouth)
