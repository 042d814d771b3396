from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dit import distill
from dit.distill import DistillSettings, Student, export, losses, states_of, train
from dit.distill_data import UNKNOWN_PHONEME, Crops, Voice
from dit.distill_filters import band_filters
from dit.speech_phonemes import PHONEMES
from models.device import DevicePolicy
from models.speech_encoder import SpeechEncoder
from models.speech_networks import load_speech_network

SETTINGS = DistillSettings(
    steps=6, batch=2, components=3, warmup_steps=2, checkpoint_steps=3, threads=1
)
TINY = {
    **distill.STUDENT,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "conv_dim": [16, 16, 16],
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
}


def voice(seed: int, states: int = 200) -> Voice:
    rng = np.random.default_rng(seed)
    wave = 0.1 * rng.standard_normal(states * 320 + 850)
    targets = rng.standard_normal((states, 3))
    return Voice(wave.astype(np.float16), targets.astype(np.float16), rng.integers(0, 9, states))


def run(folder: Path, settings: DistillSettings) -> Student:
    torch.manual_seed(0)
    student = Student(TINY, settings.components)
    voices = [voice(i) for i in range(3)]
    train(student, voices[:2], [], voices[2:], folder / "out", folder / "state.pt", settings)
    return student


def test_a_broken_off_training_ends_as_an_unbroken_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("whole", "parts"):
        (tmp_path / folder).mkdir()
    whole = run(tmp_path / "whole", SETTINGS)

    class BrokenOffError(Exception):
        pass

    saved = distill._save

    def save_and_break(*args: object) -> None:
        saved(*args)  # type: ignore[arg-type]
        raise BrokenOffError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distill, "_save", save_and_break)
        with pytest.raises(BrokenOffError):
            run(tmp_path / "parts", SETTINGS)
    resumed = run(tmp_path / "parts", SETTINGS)
    assert "resumed at step 3" in capsys.readouterr().out
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(value, resumed.state_dict()[name], msg=name)


def test_training_learns() -> None:
    torch.manual_seed(0)
    student = Student(TINY, 3)
    rng = np.random.default_rng(0)
    crops = Crops(
        wave=torch.from_numpy(0.1 * rng.standard_normal((2, 8_000))).float(),
        targets=torch.from_numpy(rng.standard_normal((2, states_of(8_000, TINY), 3))).float(),
        phonemes=torch.from_numpy(rng.integers(0, 9, (2, states_of(8_000, TINY)))),
        inside=torch.ones(2, states_of(8_000, TINY)),
    )
    optimiser = torch.optim.Adam(student.parameters(), 3e-3)
    before = losses(student, crops, crops.wave, SETTINGS)
    for _ in range(60):
        optimiser.zero_grad()
        losses(student, crops, crops.wave, SETTINGS)["loss"].backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    after = losses(student, crops, crops.wave, SETTINGS)
    assert after["teacher"] < 0.9 * before["teacher"]
    assert after["phoneme"] < 0.8 * before["phoneme"]
    assert after["accuracy"] > before["accuracy"]


def test_padding_and_unknown_phonemes_do_not_count() -> None:
    torch.manual_seed(0)
    student = Student(TINY, 3).eval()
    states = states_of(8_000, TINY)
    inside = torch.ones(1, states)
    inside[:, :5] = 0
    crops = Crops(
        torch.randn(1, 8_000), torch.zeros(1, states, 3), torch.zeros(1, states).long(), inside
    )
    spoiled = replace(crops, targets=crops.targets.clone(), phonemes=crops.phonemes.clone())
    spoiled.targets[:, :5] = 99.0
    spoiled.phonemes[:, :5] = UNKNOWN_PHONEME
    first = losses(student, crops, crops.wave, SETTINGS)
    second = losses(student, spoiled, crops.wave, SETTINGS)
    assert float(first["loss"].detach()) == pytest.approx(float(second["loss"].detach()))


def test_what_is_exported_loads_as_the_streams_encoder(tmp_path: Path) -> None:
    torch.manual_seed(0)
    student = Student(TINY, 3).eval()
    export(student, tmp_path)
    encoder = SpeechEncoder.load(tmp_path, DevicePolicy())
    assert encoder.dim == 16
    assert not load_speech_network(tmp_path).normalise
    wave = 0.1 * torch.randn(1, 60 * 640, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        states = student.encoder(wave).last_hidden_state[0].numpy()
    place = (30.5 * 640 - 0.5 - (850 - 1) / 2) / 320  # frame 30's centre among the states
    expected = states[int(place)] + (place % 1) * (states[int(place) + 1] - states[int(place)])
    embeddings = encoder.encode_whole(wave[0].numpy()).embeddings
    np.testing.assert_allclose(embeddings[30], expected, atol=1e-5)


def test_the_default_student_is_small_and_takes_a_window() -> None:
    student = Student(distill.STUDENT, 64)
    assert 1e6 < sum(p.numel() for p in student.encoder.parameters()) < 5e6
    assert distill.receptive_field(distill.STUDENT) == 850
    guess, logits = student(torch.zeros(1, 38_400))
    assert guess.shape == (1, states_of(38_400, distill.STUDENT), 64)
    assert logits.shape[-1] == len(PHONEMES)


@pytest.mark.parametrize("frequency_hz", [150.0, 700.0, 3_000.0])
def test_the_first_filters_answer_to_their_band(frequency_hz: float) -> None:
    filters = band_filters(64, 330)
    assert filters.shape == (128, 330)
    tone = torch.cos(2 * torch.pi * frequency_hz * torch.arange(330) / 16_000)
    strength = ((filters @ tone).reshape(2, 64) ** 2).sum(0).sqrt()
    best = int(strength.argmax())
    spectrum = torch.fft.rfft(filters[best], 16_000).abs()
    assert float(spectrum.argmax()) == pytest.approx(frequency_hz, rel=0.15)
