import random

from dit.speech_phonemes import PHONEME_IDS
from dit.speech_text import WRITTEN, nonsense, sentence


def test_the_same_seed_writes_the_same_sentence() -> None:
    assert sentence(random.Random(3)) == sentence(random.Random(3))


def test_sentences_vary_and_have_no_open_slots() -> None:
    rng = random.Random(0)
    texts = [sentence(rng) for _ in range(400)]
    assert len(set(texts)) > 300
    assert not any("{" in text or "  " in text for text in texts)
    assert any("?" in text for text in texts)
    assert any(character.isdigit() for text in texts for character in text)
    assert set(WRITTEN) & set(texts)


def test_nonsense_uses_known_phonemes_and_reaches_all_consonants() -> None:
    rng = random.Random(0)
    spoken = "".join(nonsense(rng) for _ in range(300))
    sounds = set(spoken) - set(" ˈ.!?")
    assert sounds <= set(PHONEME_IDS)
    assert set("pbmfvθðtdnszʃʒʧʤkɡŋhlɹwj") <= sounds
