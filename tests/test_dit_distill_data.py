from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dit.distill_data import (
    CLIP_TAPE_SPEEDS,
    UNKNOWN_PHONEME,
    Voice,
    crop,
    load,
    prepare,
    sample_crops,
)
from dit.distill_teacher import Teacher, fit_space
from dit.speech_phonemes import PHONEME_IDS
from models.errors import MissingWeightsError

FIELD = 850


def write_item(folder: Path, name: str, seconds: float = 3.0) -> None:
    """A corpus item without a synthesiser: noise that is said to be one long m."""
    folder.mkdir(parents=True, exist_ok=True)
    wave = 0.1 * np.random.default_rng(0).standard_normal(round(seconds * 16_000))
    soundfile.write(folder / f"{name}.flac", wave, 16_000)
    np.savez(
        folder / f"{name}.npz",
        symbols=np.array(["sil", "m", "sil"]),
        start_s=np.array([0, 1, 2], np.float32),
        end_s=np.array([1, 2, seconds], np.float32),
        text=np.array("m"),
    )


def counted_voice(states: int = 300) -> Voice:
    """A voice whose samples, targets and phonemes tell where they come from."""
    wave = (np.arange(states * 320 + FIELD) // 320 / 1000).astype(np.float16)
    targets = np.repeat(np.arange(states, dtype=np.float16)[:, None], 2, 1)
    return Voice(wave, targets, np.arange(states, dtype=np.int64))


def test_a_crop_in_the_middle_is_one_piece() -> None:
    wave, targets, phonemes, inside = crop(counted_voice(), 40, states=118, samples=38_400)
    assert wave.shape == (38_400,)
    np.testing.assert_array_equal(phonemes, np.arange(40, 158))
    np.testing.assert_array_equal(targets[:, 0], np.arange(40, 158))
    np.testing.assert_allclose(wave[::320], np.arange(40, 160) / 1000, atol=1e-3)
    assert inside.all()


@pytest.mark.parametrize(("start", "first", "last"), [(-30, 30, 118), (250, 0, 50)])
def test_beyond_the_voice_there_is_silence_that_does_not_count(
    start: int, first: int, last: int
) -> None:
    wave, _, phonemes, inside = crop(counted_voice(), start, states=118, samples=38_400)
    np.testing.assert_array_equal(np.flatnonzero(inside), np.arange(first, last))
    assert (phonemes[inside == 0] == UNKNOWN_PHONEME).all()
    assert phonemes[first] == max(start, 0)
    if start < 0:
        assert (wave[: 30 * 320] == 0).all()
    else:
        assert (wave[-16_000:] == 0).all()


def test_batches_follow_their_seed_and_share() -> None:
    spoken = [counted_voice()]
    real = [replace(spoken[0], phonemes=np.full(300, UNKNOWN_PHONEME, np.int64))]
    sizes = {"states": 118, "samples": 38_400}
    batch = sample_crops(
        spoken, real, np.random.default_rng(0), batch=200, real_share=0.25, **sizes
    )
    again = sample_crops(
        spoken, real, np.random.default_rng(0), batch=200, real_share=0.25, **sizes
    )
    assert (batch.wave == again.wave).all()
    unlabelled = (batch.phonemes == UNKNOWN_PHONEME).all(dim=1).float().mean()
    assert 0.15 < float(unlabelled) < 0.35
    begins_early = (batch.inside[:, 0] == 0).float().mean()
    assert 0.05 < float(begins_early) < 0.25


def test_the_space_keeps_the_main_directions_balanced() -> None:
    rng = np.random.default_rng(0)
    hidden = rng.standard_normal((2_000, 4)) * [8, 4, 2, 1]
    states = hidden @ rng.standard_normal((4, 20)) + 0.01 * rng.standard_normal((2_000, 20))
    space = fit_space(states.astype(np.float32), 4)
    targets = space.project(states.astype(np.float32))
    assert targets.shape == (2_000, 4)
    assert np.mean(targets**2) == pytest.approx(1.0, abs=0.02)
    deviations = targets.std(0)
    assert (np.diff(deviations) < 0).all()
    np.testing.assert_allclose(np.corrcoef(targets.T), np.eye(4), atol=0.02)


def test_preparing_never_reads_people_held_out(tmp_path: Path) -> None:
    pytest.importorskip("moonshine_voice", reason="the teacher comes with the extra `train`")
    write_item(tmp_path / "corpus", "one")
    clips = tmp_path / "clips"
    write_item(clips, "EDTalk__someone")
    (clips / "LipNet__held.mp4").write_bytes(b"reading this would raise SoundError")
    space = prepare(tmp_path / "corpus", clips, tmp_path / "cache", field=FIELD, components=8)
    spoken, real = load(tmp_path / "cache", space)
    assert (len(spoken), len(real)) == (1, len(CLIP_TAPE_SPEEDS))
    # 3 s: the first second is silence, the next an m
    phonemes = spoken[0].phonemes
    assert phonemes[:45].tolist() == [0] * 45
    assert phonemes[52:95].tolist() == [PHONEME_IDS["m"]] * 43
    assert spoken[0].targets.shape == (len(phonemes), 8)
    again = prepare(tmp_path / "nothing", None, tmp_path / "cache", field=FIELD, components=8)
    np.testing.assert_array_equal(again.basis, space.basis)


def test_an_empty_corpus_says_what_makes_one(tmp_path: Path) -> None:
    pytest.importorskip("moonshine_voice", reason="the teacher comes with the extra `train`")
    with pytest.raises(MissingWeightsError, match="python -m dit speech-corpus"):
        prepare(tmp_path, None, tmp_path / "cache", field=FIELD, components=8)


def test_the_teacher_is_read_at_the_asked_samples() -> None:
    pytest.importorskip("moonshine_voice", reason="the teacher comes with the extra `train`")
    teacher = Teacher()
    wave = (0.1 * np.random.default_rng(0).standard_normal(16_000)).astype(np.float32)
    states = teacher.states(wave)
    assert states.shape[1] == Teacher.dim
    centres = 447 + 384 * np.array([0, 3, 3.5, len(states) + 9])
    at = teacher.at(wave, centres)
    np.testing.assert_allclose(at[:2], states[[0, 3]], atol=1e-6)
    np.testing.assert_allclose(at[2], (states[3] + states[4]) / 2, atol=1e-5)
    np.testing.assert_allclose(at[3], states[-1], atol=1e-6)
