"""Trains the default speech encoder: a small wav2vec2 that sees speech as moonshine does.

Two linear heads read the encoder's last hidden state: one must give the teacher's main directions
(every voice), the other the phoneme (text-to-speech, where it is known). So the state itself
becomes a low-rank, phonetic view of the sound, which is what moves lips of people never seen.
Windows are those of streaming, and states near the window's end, which streaming uses, weigh more.
"""

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from dit.distill_augment import augment
from dit.distill_data import UNKNOWN_PHONEME, Crops, Voice, load, prepare, sample_crops
from dit.distill_filters import start_from_bands
from dit.schedule import warmup_cosine
from dit.speech_phonemes import PHONEMES
from models.timing import SAMPLES_PER_FRAME

WINDOW_FRAMES = 60
STUDENT: dict[str, Any] = {
    "hidden_size": 192,
    "num_hidden_layers": 5,
    "num_attention_heads": 4,
    "intermediate_size": 768,
    "feat_extract_norm": "layer",
    "conv_dim": [128, 192, 256],
    "conv_stride": [40, 4, 2],
    "conv_kernel": [330, 6, 3],
    "conv_bias": True,
    "num_conv_pos_embeddings": 32,
    "num_conv_pos_embedding_groups": 8,
    "do_stable_layer_norm": True,
    # noise, rooms and many voices regularise enough, and dropout costs a fifth of a step's time
    "hidden_dropout": 0.0,
    "attention_dropout": 0.0,
    "activation_dropout": 0.0,
    "feat_proj_dropout": 0.0,
    "layerdrop": 0.0,
    "apply_spec_augment": False,
    "vocab_size": len(PHONEMES),
}


@dataclass(frozen=True, slots=True)
class DistillSettings:
    """How the student is trained."""

    steps: int = 1000
    batch: int = 16
    learning_rate: float = 1.5e-3
    warmup_steps: int = 60
    components: int = 64
    real_share: float = 0.35
    teacher_weight: float = 1.0
    phoneme_weight: float = 0.5
    edge_weight: float = 3.0  # of the states that streaming uses: hop and look-ahead
    checkpoint_steps: int = 100
    threads: int = 2
    seed: int = 0


class Student(nn.Module):
    """The encoder with its two heads."""

    def __init__(self, config: dict[str, Any], components: int) -> None:
        super().__init__()
        import transformers

        self.encoder: Any = transformers.Wav2Vec2Model(transformers.Wav2Vec2Config(**config))
        layers = self.encoder.feature_extractor.conv_layers
        start_from_bands(layers[0].conv, layers[1].conv)
        width = self.encoder.config.hidden_size
        self.teacher = nn.Linear(width, components)
        self.phoneme = nn.Linear(width, len(PHONEMES))

    def forward(self, wave: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Waves [B, N] -> the teacher's directions [B, S, C], phoneme logits [B, S, P]."""
        hidden = self.encoder(wave).last_hidden_state
        return self.teacher(hidden), self.phoneme(hidden)


def receptive_field(config: dict[str, Any]) -> int:
    """Samples that one state of the convolutions sees."""
    field, stride = 1, 1
    for kernel, step in zip(config["conv_kernel"], config["conv_stride"], strict=True):
        field += (kernel - 1) * stride
        stride *= step
    return field


def states_of(samples: int, config: dict[str, Any]) -> int:
    """States S that the convolutions make of so many samples."""
    return (samples - receptive_field(config)) // int(np.prod(config["conv_stride"])) + 1


def losses(
    student: Student, crops: Crops, wave: torch.Tensor, settings: DistillSettings
) -> dict[str, torch.Tensor]:
    """Distance to the teacher, phoneme cross-entropy and accuracy of a batch."""
    guess, logits = student(wave)
    weight = crops.inside.clone()
    weight[:, -20:] *= settings.edge_weight
    distance = functional.mse_loss(guess, crops.targets, reduction="none").mean(-1)
    teacher = (distance * weight).sum() / weight.sum().clamp_min(1.0)
    entropy = functional.cross_entropy(
        logits.transpose(1, 2),
        crops.phonemes,
        ignore_index=UNKNOWN_PHONEME,
        reduction="none",
        label_smoothing=0.05,
    )
    known = (crops.phonemes != UNKNOWN_PHONEME).float()
    spoken = (entropy * weight * known).sum() / (weight * known).sum().clamp_min(1.0)
    right = ((logits.argmax(-1) == crops.phonemes).float() * known).sum() / known.sum().clamp_min(1)
    total = settings.teacher_weight * teacher + settings.phoneme_weight * spoken
    return {"loss": total, "teacher": teacher, "phoneme": spoken, "accuracy": right.detach()}


def distill(
    corpus: Path, clips: Path | None, out: Path, cache: Path, settings: DistillSettings
) -> None:
    """Train and write the encoder to ``out``; resumes from the checkpoint in ``cache``."""
    torch.set_num_threads(settings.threads)
    field = receptive_field(STUDENT)
    space = prepare(
        corpus,
        clips,
        cache,
        field=field,
        components=settings.components,
        threads=settings.threads,
    )
    spoken, real = load(cache, space)
    kept = spoken[::40]  # voices of the synthesiser that are only listened to
    spoken = [voice for index, voice in enumerate(spoken) if index % 40]
    print(f"{len(spoken)} spoken and {len(real)} real voices; {len(kept)} spoken kept for checks")
    torch.manual_seed(settings.seed)
    student = Student(STUDENT, settings.components)
    train(student, spoken, real, kept, out, cache / "checkpoint.pt", settings)


def train(
    student: Student,
    spoken: list[Voice],
    real: list[Voice],
    kept: list[Voice],
    out: Path,
    checkpoint: Path,
    settings: DistillSettings,
) -> None:
    """The training loop: AdamW, linear warm-up, cosine decay, checkpoints that resume."""
    optimiser = torch.optim.AdamW(
        student.parameters(), settings.learning_rate, betas=(0.9, 0.98), weight_decay=0.01
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda s: _rate(s, settings))
    step = _resume(checkpoint, student, optimiser, schedule)
    samples = WINDOW_FRAMES * SAMPLES_PER_FRAME
    sizes = {"states": states_of(samples, STUDENT), "samples": samples}
    began = time.monotonic()
    while step < settings.steps:
        # a generator per step, so that a resumed run sees what an unbroken one would
        rng = np.random.default_rng((settings.seed, step))
        noise = torch.Generator().manual_seed(settings.seed * 1_000_003 + step)
        crops = sample_crops(
            spoken, real, rng, batch=settings.batch, real_share=settings.real_share, **sizes
        )
        student.train()
        result = losses(student, crops, augment(crops.wave, noise), settings)
        optimiser.zero_grad(set_to_none=True)
        result["loss"].backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        step += 1
        if step % 20 == 0:
            _report(step, result, time.monotonic() - began)
        if step % settings.checkpoint_steps == 0 or step == settings.steps:
            _check(step, student, kept, settings, sizes)
            _save(checkpoint, step, student, optimiser, schedule, settings)
            export(student, out)


def _rate(step: int, settings: DistillSettings) -> float:
    """Share of the learning rate at a step."""
    return warmup_cosine(step, settings.warmup_steps, settings.steps, floor=0.02)


def _report(step: int, result: dict[str, torch.Tensor], seconds: float) -> None:
    figures = "  ".join(f"{name} {float(value.detach()):.4f}" for name, value in result.items())
    print(f"step {step}  {figures}  {seconds:.0f} s", flush=True)


def _check(
    step: int,
    student: Student,
    kept: list[Voice],
    settings: DistillSettings,
    sizes: dict[str, int],
) -> None:
    """Print the losses on voices that are not trained on, without noise."""
    if not kept:
        return
    student.eval()
    rng = np.random.default_rng(0)
    with torch.inference_mode():
        crops = sample_crops(kept, [], rng, batch=48, real_share=0.0, **sizes)
        result = losses(student, crops, crops.wave, settings)
    print("check ", end="")
    _report(step, result, 0.0)


def _save(
    path: Path, step: int, student: Student, optimiser: Any, schedule: Any, settings: Any
) -> None:
    part = path.with_suffix(".part")
    torch.save(
        {
            "step": step,
            "student": student.state_dict(),
            "optimiser": optimiser.state_dict(),
            "schedule": schedule.state_dict(),
            "settings": asdict(settings),
        },
        part,
    )
    part.replace(path)


def _resume(path: Path, student: Student, optimiser: Any, schedule: Any) -> int:
    """Load a checkpoint when there is one -> the steps already done."""
    if not path.is_file():
        return 0
    state = torch.load(path, weights_only=True)
    student.load_state_dict(state["student"])
    optimiser.load_state_dict(state["optimiser"])
    schedule.load_state_dict(state["schedule"])
    print(f"resumed at step {state['step']}")
    return int(state["step"])


def export(student: Student, out: Path) -> None:
    """Write the encoder in the Hugging Face layout, and the phoneme head beside it."""
    import transformers
    from safetensors.torch import save_file

    out.mkdir(parents=True, exist_ok=True)
    transformers.utils.logging.disable_progress_bar()
    student.encoder.save_pretrained(out)
    transformers.Wav2Vec2FeatureExtractor(do_normalize=False).save_pretrained(out)
    head = {k: v.detach().contiguous() for k, v in student.phoneme.state_dict().items()}
    save_file(head, out / "phoneme_head.safetensors", {"phonemes": " ".join(PHONEMES)})
