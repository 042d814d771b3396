"""How much a speech feature knows about lips: a linear probe on people left out of training.

Ridge regression from a feature (two frames to either side) to the lip gap and the lip width, both
standardised per clip; fitted on the clips that are not held out, judged on the held-out people by
the median over clips of Pearson's r at the best lag within two frames. The ridge's strength is
chosen inside the training clips alone, by leaving one source out after the other.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dit.lagged_correlation import pearson
from dit.preparation.tracks import Track
from models.errors import MissingWeightsError
from models.face_keypoints import lip_gap, lip_width
from models.held_out import is_held_out
from models.shapes import AnyArray, FloatArray
from models.speech import loudness_db
from models.speech_encoder import SpeechEncoder
from models.timing import FPS, SAMPLE_RATE_HZ, SAMPLES_PER_FRAME

SIDE_FRAMES = 2
STRENGTHS = (1e1, 1e2, 1e3, 1e4, 1e5)
COMPONENTS = 16
Feature = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, slots=True)
class ProbeClip:
    """One clip: what is to be told, and the sound to tell it from."""

    name: str
    lips: FloatArray  # [T, 2] lip gap and lip width, standardised
    wave: FloatArray  # [N = 640 T]

    @property
    def held_out(self) -> bool:
        """Whether it shows people kept for validation."""
        return is_held_out(self.name)

    @property
    def source(self) -> str:
        """The project that the clip came from."""
        return self.name.split("__")[0]


def read_clips(tracks: Path) -> list[ProbeClip]:
    """The tracked clips of a folder. Raises MissingWeightsError when there are none."""
    clips = []
    for path in sorted(tracks.glob("*.npz")):
        track = Track.load(path)
        lips = np.stack([lip_gap(track.points), lip_width(track.points)], axis=1)
        clips.append(ProbeClip(path.stem, standardised(lips), track.wave))
    if not clips:
        raise MissingWeightsError(f"no tracked clips in {tracks}: python -m dit prepare makes them")
    return clips


def standardised(values: FloatArray) -> FloatArray:
    """Zero mean and unit variance over frames [T, C]."""
    return np.asarray((values - values.mean(0)) / (values.std(0) + 1e-6), np.float32)


def loudness_feature(wave: FloatArray) -> FloatArray:
    """Frame loudness [T, 1]."""
    return loudness_db(wave)[:, None]


def mel_feature(wave: FloatArray) -> FloatArray:
    """26 log-mel bands around every frame's centre [T, 26]."""
    import librosa

    mel = librosa.feature.melspectrogram(
        y=np.pad(wave, (320, 640)), sr=SAMPLE_RATE_HZ, n_fft=1024, hop_length=320, n_mels=26
    )
    frames = len(wave) // SAMPLES_PER_FRAME
    # the padding puts the centre of frame f, sample 640 f + 320, at column 2 f + 2
    return np.asarray(np.log(mel.T[2 : 2 + 2 * frames : 2] + 1e-5), np.float32)


def with_loudness(feature: Feature) -> Feature:
    """The same feature with the frame's loudness as a further channel, as motion is given it."""
    return lambda wave: np.concatenate([feature(wave), loudness_feature(wave)], axis=1)


def teacher_feature(wave: FloatArray) -> FloatArray:
    """The teacher's states at the frames' centres [T, 288]."""
    from dit.distill_teacher import Teacher

    centres = (np.arange(len(wave) // SAMPLES_PER_FRAME) + 0.5) * SAMPLES_PER_FRAME
    return Teacher().at(wave, centres)


def remembered(feature: Feature) -> Feature:
    """The same feature, computed once per wave."""
    known: dict[bytes, FloatArray] = {}

    def look_up(wave: FloatArray) -> FloatArray:
        key = hashlib.sha256(wave.tobytes()).digest()
        if key not in known:
            known[key] = feature(wave)
        return known[key]

    return look_up


def probe(
    clips: Sequence[ProbeClip], feature: Feature, components: int | None = None
) -> dict[str, float]:
    """Median r of lip gap and lip width over the held-out clips, and the ridge strength."""
    raw = [feature(clip.wave) for clip in clips]
    train = [i for i, clip in enumerate(clips) if not clip.held_out]
    test = [i for i, clip in enumerate(clips) if clip.held_out]
    if components is not None:
        raw = reduced(raw, train, components, [loudness_feature(c.wave) for c in clips])
    inputs = [with_sides(standardised(x)) for x in raw]
    sums = source_sums(clips, inputs, train)
    scores = [
        [
            np.mean(judge(clips, inputs, _of_source(clips, train, source), _solve(sums, source, k)))
            for source in sums
        ]
        for k in STRENGTHS
    ]
    strength = STRENGTHS[int(np.argmax(np.mean(scores, axis=1)))]
    gap, width = judge(clips, inputs, test, _solve(sums, None, strength))
    return {"lip_gap_r": round(gap, 3), "lip_width_r": round(width, 3), "ridge": strength}


def source_sums(
    clips: Sequence[ProbeClip], inputs: Sequence[FloatArray], train: Sequence[int]
) -> dict[str, tuple[AnyArray, AnyArray]]:
    """What ridge regression needs of every source's clips: X'X [C, C] and X'Y [C, 2]."""
    sums: dict[str, tuple[AnyArray, AnyArray]] = {}
    for source in sorted({clips[i].source for i in train}):
        mine = [i for i in train if clips[i].source == source]
        x = np.concatenate([inputs[i] for i in mine]).astype(np.float64)
        y = np.concatenate([clips[i].lips for i in mine]).astype(np.float64)
        sums[source] = (x.T @ x, x.T @ y)
    return sums


def _solve(
    sums: dict[str, tuple[AnyArray, AnyArray]], left_out: str | None, strength: float
) -> AnyArray:
    """Ridge weights [C, 2] from all sources but one."""
    kept = [pair for source, pair in sums.items() if source != left_out]
    inner = np.sum([pair[0] for pair in kept], axis=0)
    outer = np.sum([pair[1] for pair in kept], axis=0)
    weights: AnyArray = np.linalg.solve(inner + strength * np.eye(len(inner)), outer)
    return weights


def _of_source(clips: Sequence[ProbeClip], train: Sequence[int], source: str) -> list[int]:
    """The training clips of a source: what is judged when the source was left out."""
    return [i for i in train if clips[i].source == source]


def judge(
    clips: Sequence[ProbeClip],
    inputs: Sequence[FloatArray],
    test: Sequence[int],
    weights: AnyArray,
) -> tuple[float, float]:
    """Median r of lip gap and lip width over some clips."""
    scores = np.array(
        [
            [pearson((inputs[i] @ weights)[:, part], clips[i].lips[:, part]) for part in (0, 1)]
            for i in test
        ]
    )
    gap, width = np.median(scores, axis=0)
    return float(gap), float(width)


def with_sides(feature: FloatArray) -> FloatArray:
    """Each frame with its neighbours [T, (2 s + 1) C]; the ends repeat."""
    padded = np.pad(feature, ((SIDE_FRAMES, SIDE_FRAMES), (0, 0)), mode="edge")
    return np.concatenate(
        [padded[i : i + len(feature)] for i in range(2 * SIDE_FRAMES + 1)], axis=1
    )


def reduced(
    raw: Sequence[FloatArray], train: Sequence[int], components: int, extra: Sequence[FloatArray]
) -> list[FloatArray]:
    """The feature's main directions over the training clips, and the loudness beside them."""
    whitened = [standardised(x) for x in raw]
    everything = np.concatenate([whitened[i] for i in train]).astype(np.float64)
    _, vectors = np.linalg.eigh(everything.T @ everything)
    basis = vectors[:, ::-1][:, :components]
    return [
        np.concatenate([x @ basis, e], axis=1).astype(np.float32)
        for x, e in zip(whitened, extra, strict=True)
    ]


def probe_all(
    tracks: Path, encoder: SpeechEncoder, out: Path | None
) -> dict[str, dict[str, float]]:
    """Probe loudness, mel, teacher and student; print a table and write it as JSON."""
    clips = read_clips(tracks)

    student = remembered(lambda wave: encoder.encode(wave).embeddings)
    teacher = remembered(teacher_feature)

    rows: list[tuple[str, Feature, int | None]] = [
        ("loudness", loudness_feature, None),
        ("mel", mel_feature, None),
        ("teacher", teacher, None),
        ("student", student, None),
        ("teacher and loudness", with_loudness(teacher), None),
        ("student and loudness", with_loudness(student), None),
        (f"teacher, {COMPONENTS} directions and loudness", teacher, COMPONENTS),
        (f"student, {COMPONENTS} directions and loudness", student, COMPONENTS),
    ]
    results = {}
    for name, feature, components in rows:
        results[name] = probe(clips, feature, components)
        print(f"{name:40} {results[name]}", flush=True)
    if out is not None:
        held = sum(clip.held_out for clip in clips)
        seconds = sum(len(clip.wave) for clip in clips) / SAMPLES_PER_FRAME / FPS
        summary = {"clips": len(clips), "held_out": held, "seconds": round(seconds, 1)}
        out.write_text(json.dumps({"probe": results, "data": summary}, indent=2) + "\n")
    return results
