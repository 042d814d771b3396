"""A folder of talking clips -> training data: face tracks (slow, once) and shards (quick).

``OUT/tracks/NAME.npz`` holds face meshes and sound, ``OUT/shards/NAME.npz`` motion and speech
features, ``OUT/spoken/NAME.npz`` the features of a speech corpus. Tracks are kept, so that another
encoder needs only new shards.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dit.clips import ClipError, Track, list_clips, sound_lag_frames, track_clip
from models.errors import VisavisError
from models.face_keypoints import landmarks_to_motion, lip_gap, lip_width, relative_to_rest
from models.motion import Motion
from models.shapes import FloatArray
from models.speech import SpeechFeatures

if TYPE_CHECKING:
    from models.face_landmarks import FaceDetector
    from models.speech_encoder import SpeechEncoder

MOTION_FIELDS = ("pitch", "yaw", "roll", "t", "scale", "exp")
SHORTEST_FRAMES = 25
CORPUS_WINDOW = {"left_frames": 30, "hop_frames": 60, "lookahead_frames": 5}


@dataclass(frozen=True, slots=True)
class Shard:
    """One clip as the trainer reads it; T frames."""

    name: str
    motion: Motion  # relative to the person's rest
    voice: SpeechFeatures
    gap: FloatArray  # [T] true lip gap over the outer-eye distance
    width: FloatArray  # [T] true lip width over the outer-eye distance

    def save(self, folder: Path) -> None:
        """Write ``folder/NAME.npz``."""
        folder.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(
            folder / f"{self.name}.npz",
            **{name: getattr(self.motion, name) for name in MOTION_FIELDS},
            embeddings=self.voice.embeddings,
            loudness_db=self.voice.loudness_db,
            mel_db=self.voice.mel_db,
            gap=self.gap,
            width=self.width,
        )

    @classmethod
    def load(cls, path: Path) -> "Shard":
        """Read what ``save`` wrote. Raises ClipError when the file is something else."""
        try:
            with np.load(path) as stored:
                motion = Motion(**{name: stored[name] for name in MOTION_FIELDS})
                voice = SpeechFeatures(
                    stored["embeddings"], stored["loudness_db"], stored["mel_db"]
                )
                return cls(path.stem, motion, voice, stored["gap"], stored["width"])
        except (KeyError, ValueError, OSError) as error:
            raise ClipError(f"{path} is no training shard: {error}") from error


def track_clips(clips: Path, out: Path, detector: "FaceDetector") -> list[str]:
    """Track every clip that has no track yet -> what went wrong, a line per clip left out."""
    from tqdm import tqdm

    problems = []
    for clip in tqdm(list_clips(clips), desc="face tracks", unit="clip"):
        path = out / "tracks" / f"{clip.stem}.npz"
        if path.is_file():
            continue
        try:
            track = track_clip(clip, detector)
            if len(track.found) < SHORTEST_FRAMES:
                raise ClipError(f"{clip.name} has {len(track.found)} frames; 25 are the least")
            track.save(path)
        except VisavisError as error:
            problems.append(str(error))
    return problems


def make_shards(out: Path, encoder: "SpeechEncoder") -> list[str]:
    """Turn every track into a shard -> a report line per clip, also in ``OUT/report.json``."""
    from tqdm import tqdm

    lines = []
    for path in tqdm(sorted((out / "tracks").glob("*.npz")), desc="shards", unit="clip"):
        track = Track.load(path)
        shard = shard_of(path.stem, track, encoder)
        shard.save(out / "shards")
        guess, r = sound_lag_frames(shard.gap, shard.voice.loudness_db)
        lines.append(
            f"{path.stem}: {len(shard.gap)} frames, {int((~track.found).sum())} without a face, "
            f"lip gap follows loudness best at lag {guess} (r {r:.2f})"
        )
    (out / "report.json").write_text(json.dumps(lines, indent=1) + "\n")
    return lines


def shard_of(name: str, track: Track, encoder: "SpeechEncoder") -> Shard:
    """One clip's motion and features."""
    absolute, _ = landmarks_to_motion(track.points)
    voice = encoder.encode(track.wave)
    frames = len(track.points)
    return Shard(
        name,
        relative_to_rest(absolute),
        voice[:frames],
        lip_gap(track.points).astype(np.float32),
        lip_width(track.points).astype(np.float32),
    )


def encode_corpus(corpus: Path, out: Path, encoder: "SpeechEncoder") -> int:
    """Features of every item of a speech corpus -> how many there are.

    ``encoder`` may have wider windows than a live one (``CORPUS_WINDOW``): an eighth of the work,
    and closer to the live features than two voices are to each other.
    """
    from tqdm import tqdm

    from dit.speech_corpus import read_item

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
