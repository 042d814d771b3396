"""Cutting and masking; and that a batch depends on seed and step alone."""

import numpy as np
import pytest
import torch

from dit.training.batches import Mixture, Share, batches
from dit.training.clip_pools import Pool, ResidentClips
from dit.training.config import DataConfig, Masking
from dit.training.sequences import Sequence
from dit.training.windows import Batch, Window, batch_of, cut
from models.errors import ConfigError
from models.timing import CONTEXT_FRAMES, NEW_FRAMES
from tests.training_fixtures import LOWER_LIP_Y, sequence, tiny_config, tiny_set

CLEAN = Masking(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def windows(masking: Masking, count: int = 64, frames: int = 50) -> Batch:
    made = [cut(sequence(frames, 1), 20, masking, np.random.default_rng(i)) for i in range(count)]
    return batch_of(0, made)


def test_windows_keep_motion_and_voice_together() -> None:
    batch = windows(CLEAN)
    new = batch.condition[:, CONTEXT_FRAMES:]
    torch.testing.assert_close(batch.target[..., LOWER_LIP_Y], 3 * new[..., 0])
    old = batch.condition[:, :CONTEXT_FRAMES]
    torch.testing.assert_close(batch.context[..., LOWER_LIP_Y], 3 * old[..., 0])
    assert (batch.condition[..., -1] == 1).all()
    assert (batch.context[..., -1] == 1).all()
    assert (batch.style == 1).all()  # the sequence's style is its seed, 1
    assert 0 <= batch.time.min() < batch.time.max() <= 1
    assert batch.time.mean() > 0.55  # more of them near noise
    assert batch.noise.std() == pytest.approx(1.0, abs=0.05)


def test_everything_can_be_hidden() -> None:
    blind = windows(Masking(no_voice=1.0, no_context=1.0, no_style=1.0))
    assert blind.condition.abs().max() == 0
    assert blind.context.abs().max() == 0
    assert blind.style.abs().max() == 0


def test_late_voice_is_unknown_to_the_end() -> None:
    late = windows(Masking(no_voice=0.0, late_voice=1.0))
    known = late.condition[..., -1]
    assert (known[:, :CONTEXT_FRAMES] == 1).all()
    assert (known.diff(dim=1) <= 0).all()
    assert 0 < known[:, CONTEXT_FRAMES:].mean() < 1
    assert late.condition[known == 0].abs().max() == 0


@pytest.mark.parametrize("share", [0.0, 0.3, 0.8])
def test_masks_come_as_often_as_they_should(share: float) -> None:
    batch = windows(
        Masking(no_voice=share, late_voice=0.0, no_context=share, no_style=share), count=400
    )
    for hidden in (
        batch.condition[:, 0, -1] == 0,
        batch.context[:, 0, -1] == 0,
        batch.style[:, -1] == 0,
    ):
        assert hidden.float().mean() == pytest.approx(share, abs=0.08)


def test_dropped_voice_channels_are_dropped_for_the_whole_window() -> None:
    voice = windows(Masking(0.0, 0.0, 0.0, 0.0, 0.0, voice_dropout=0.5)).condition[..., :-1]
    dropped = voice == 0
    assert (dropped.all(1) == dropped.any(1)).all()
    assert dropped.all(1).float().mean() == pytest.approx(0.5, abs=0.08)


def test_noise_is_added_to_voice_and_context_alone() -> None:
    noisy = windows(Masking(0.0, 0.0, 0.0, 0.8, 0.4, 0.0, 0.0))
    plain = windows(CLEAN)
    torch.testing.assert_close(
        noisy.target[..., LOWER_LIP_Y], noisy.target[..., LOWER_LIP_Y].round(decimals=6)
    )
    voice = (noisy.condition[..., :-1].std() ** 2 - plain.condition[..., :-1].std() ** 2).item()
    assert voice == pytest.approx(0.4**2, abs=0.08)
    still = noisy.context[..., 0]  # a channel without motion
    assert still.std().item() == pytest.approx(0.8 / 3**0.5, rel=0.15)


def test_clips_shorter_than_a_window_hold_their_last_frame() -> None:
    window: Window = cut(sequence(12, 1), 20, CLEAN, np.random.default_rng(0))
    assert (np.diff(window.target[2:], axis=0) == 0).all()


def mixture(share: Share, **data: object) -> Mixture:
    config, loaded = tiny_config(data={"batch": 8, **data}), tiny_set()
    return Mixture(loaded.clips, loaded.speech, config.data, config.masking, 1, share)


def same(one: Batch, other: Batch) -> bool:
    return one.step == other.step and all(
        torch.equal(a, b) for a, b in zip(one.tensors(), other.tensors(), strict=True)
    )


def test_two_ranks_together_make_the_batch_of_one() -> None:
    whole = mixture(Share())
    parts = [mixture(Share(rank, 2)) for rank in range(2)]
    for step in range(6):
        batch, halves = whole.batch(step), [part.batch(step) for part in parts]
        for tensor, first, second in zip(
            batch.tensors(), halves[0].tensors(), halves[1].tensors(), strict=True
        ):
            torch.testing.assert_close(tensor[0::2], first, rtol=0, atol=0)
            torch.testing.assert_close(tensor[1::2], second, rtol=0, atol=0)


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_from_any_step_on_are_those_of_the_whole_run(workers: int) -> None:
    made = list(batches(mixture(Share(), workers=workers), 0, 7, pin=False))
    assert [b.step for b in made] == list(range(7))
    later = list(batches(mixture(Share(), workers=workers), 3, 7, pin=False))
    assert all(same(one, other) for one, other in zip(made[3:], later, strict=True))
    assert not any(same(made[0], other) for other in made[1:])
    again = mixture(Share())
    assert all(same(again.batch(b.step), b) for b in made)


def test_long_and_short_windows_hold_as_many_frames() -> None:
    shapes = {
        mixture(Share(), batch=26, short_window_frames=5, long_window_share=share)
        .batch(0)
        .target.shape[:2]
        for share in (0.0, 1.0)
    }
    assert shapes == {(26, 5), (2, NEW_FRAMES)}


def test_real_and_synthetic_windows_have_their_shares() -> None:
    real = Sequence(
        *(
            np.full_like(a, 7.0)
            for a in (lambda s: (s.motion, s.condition, s.style))(sequence(80, 0))
        )
    )
    loaded = tiny_set()
    mixed = Mixture(
        ResidentClips(Pool.of([real])),
        loaded.speech,
        DataConfig(batch=20, real_share=0.25, long_window_share=0.0),
        CLEAN,
        1,
        Share(),
    )
    target = mixed.batch(3).target
    assert (target == 7.0).all((1, 2)).tolist() == [True] * 5 + [False] * 15


def test_synthetic_speakers_change_at_their_time() -> None:
    speech = tiny_set().speech
    assert speech is not None
    one, again, other = speech.render(0, 0), speech.render(0, 0), speech.render(0, 1)
    np.testing.assert_array_equal(one.motion, again.motion)
    assert np.abs(one.motion - other.motion).max() > 0.1
    np.testing.assert_array_equal(one.condition, other.condition)
    assert (one.condition[:CONTEXT_FRAMES] == 0).all()  # from rest, without a voice


def test_a_batch_that_ranks_cannot_share_is_refused() -> None:
    with pytest.raises(ConfigError, match="multiples of 3"):
        mixture(Share(0, 3))
