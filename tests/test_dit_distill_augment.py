import torch

from dit.distill_augment import augment


def voice(count: int = 8) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    wave = 0.1 * torch.randn(count, 8_000, generator=generator)
    wave[:, :4_000] = 0.0
    return wave


def test_the_same_generator_spoils_alike() -> None:
    first = augment(voice(), torch.Generator().manual_seed(1))
    again = augment(voice(), torch.Generator().manual_seed(1))
    other = augment(voice(), torch.Generator().manual_seed(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_spoiled_voices_stay_voices() -> None:
    clean = voice(64)
    spoiled = augment(clean, torch.Generator().manual_seed(3))
    assert spoiled.shape == clean.shape
    assert spoiled.isfinite().all()
    assert spoiled.abs().max() <= 1.0
    alike = torch.nn.functional.cosine_similarity(clean, spoiled)
    assert alike.median() > 0.7
    assert alike.min() > 0.0
    assert (alike > 0.9999).float().mean() < 0.6  # most are not merely louder or quieter


def test_gain_is_within_twelve_decibels_of_the_clean_ones() -> None:
    clean = voice(64)
    spoiled = augment(clean, torch.Generator().manual_seed(4))
    alike = torch.nn.functional.cosine_similarity(clean, spoiled)
    untouched = alike > 0.99999
    assert untouched.any()
    gain_db = 20 * torch.log10(spoiled[untouched].norm(dim=1) / clean[untouched].norm(dim=1))
    assert gain_db.abs().max() <= 12.01
    assert gain_db.std() > 2.0


def test_an_echo_comes_after_its_sound_never_before() -> None:
    clean = torch.zeros(32, 8_000)
    clean[:, 4_000:4_100] = 0.5
    spoiled = augment(clean, torch.Generator().manual_seed(5))
    before = spoiled[:, :3_500].abs().mean(1)
    after = spoiled[:, 4_200:5_500].abs().mean(1)
    assert (after > 2 * before).float().mean() > 0.2
    assert not (before > 4 * after).any()
