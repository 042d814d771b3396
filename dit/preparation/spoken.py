"""Speech features of the synthesised corpus, which has no pictures to prepare."""

from pathlib import Path

import numpy as np

from dit.preparation.video import ClipError
from dit.speech_corpus import read_item
from models.speech_encoder import SpeechEncoder


def encode_corpus(corpus: Path, out: Path, encoder: SpeechEncoder) -> int:
    """Features of every item of a speech corpus -> how many there are.

    ``encoder`` has a live session's windows: features tell where in a window they lie.
    """
    from tqdm import tqdm

    folder = out / "spoken"
    folder.mkdir(parents=True, exist_ok=True)
    paths = sorted(corpus.glob("*.npz"))
    if not paths:
        raise ClipError(f"no speech in {corpus}; `python -m dit speech-corpus` makes it")
    for path in tqdm(paths, desc="speech features", unit="item"):
        item = read_item(path)
        voice = encoder.encode(item.wave)
        np.savez(
            folder / path.name,
            embeddings=voice.embeddings.astype(np.float16),
            loudness_db=voice.loudness_db,
            mel_db=voice.mel_db,
            symbols=np.array(item.phonemes.symbols),
            start_s=item.phonemes.start_s,
            end_s=item.phonemes.end_s,
        )
    return len(paths)
