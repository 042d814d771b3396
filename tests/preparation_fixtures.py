"""Clips whose truth is known: a portrait that says synthesised words, in step or out of it."""

import random
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest

from dit.articulation import articulate, random_style
from dit.speech_corpus import join
from dit.speech_phonemes import PhonemeTimes
from dit.synthetic import MouthBasis
from models.face_landmarks import FaceLandmarks
from models.motion import Motion, rest
from models.shapes import KEYPOINTS, LANDMARKS, FloatArray, Image
from models.speech import loudness_db
from models.timing import SAMPLE_RATE_HZ, SAMPLES_PER_FRAME
from tests.conftest import ROOT

SENTENCES = (
    "My mother promised to bring five more boxes before breakfast.",
    "Who would have thought that people move so fast around town?",
    "Papa bought a big blue boat and painted it over the winter.",
)


def write_clip(path: Path, pictures: list[Image], fps: int, wave: FloatArray | None) -> None:
    """A lossless clip: pictures [H, W, 3] and, where given, sound [N] at 16 kHz."""
    height, width = pictures[0].shape[:2]
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        video = container.add_stream("ffv1", rate=fps)
        video.width, video.height, video.pix_fmt = width, height, "bgr0"
        audio = None
        if wave is not None:
            audio = container.add_stream("pcm_s16le", rate=SAMPLE_RATE_HZ)
            audio.layout = "mono"
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="bgr0")
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio is not None and wave is not None:
            pcm = (wave * 32767).astype(np.int16)[None]
            sound = av.AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
            sound.sample_rate = SAMPLE_RATE_HZ
            container.mux(audio.encode(sound))
            container.mux(audio.encode(None))


def greys(count: int) -> list[Image]:
    """Pictures that tell their number by their level."""
    return [np.full((32, 48, 3), 2 * level, np.uint8) for level in range(count)]


@cache
def spoken(index: int) -> tuple[FloatArray, PhonemeTimes]:
    """A sentence in a voice of its own -> sound [640 T] and its phonemes."""
    pytest.importorskip("hibari", reason="hibari-tts comes with the extra `train`")
    from dit.speech_voices import SpeechSynthesiser, random_voice

    synthesiser, seed = SpeechSynthesiser(), 9_000_000 + index  # of no corpus
    voice = random_voice(random.Random(seed))
    pieces = synthesiser.phonemise(SENTENCES[index])
    wave, times = join([0.3, *(synthesiser.speak(p, voice, seed) for p in pieces), 0.3])
    return wave[: len(wave) // SAMPLES_PER_FRAME * SAMPLES_PER_FRAME], times


@cache
def mouth_saying(index: int) -> FloatArray:
    """The four articulators [T, 4] of ``spoken(index)`` by a speaker of a style of its own."""
    wave, times = spoken(index)
    style = random_style(np.random.default_rng(index))
    return articulate(times, loudness_db(wave), style).articulators


def late(wave: FloatArray, frames: int) -> FloatArray:
    """The same sound so many frames later (negative: earlier), of the same length."""
    shifted = np.roll(wave, frames * SAMPLES_PER_FRAME)
    count = abs(frames) * SAMPLES_PER_FRAME
    empty = slice(0, count) if frames > 0 else slice(len(wave) - count, None)
    if frames:
        shifted[empty] = 0.0
    return shifted


def talking_motion(articulators: FloatArray) -> Motion:
    """Articulators [T, 4] as motion of the ``lite`` engine, the head nodding a little."""
    directions = np.zeros((4, KEYPOINTS, 3), np.float32)
    directions[0, (3, 5), 1] = 1.0  # the lower lip drops by the gap
    directions[1, 0, 0], directions[1, 1, 0] = -0.5, 0.5
    directions[2, 2:6, 2] = -1.0
    directions[3, 10, 1] = 1.0
    still = np.zeros(len(articulators), np.float32)
    exp = MouthBasis(directions).expression(articulators, still, still)
    nod = np.sin(np.arange(len(exp)) / 9).astype(np.float32)
    calm = rest(len(exp))
    return Motion(2 * nod, 3 * nod[::-1], calm.roll, calm.t, calm.scale, exp)


@cache
def talking_pictures(portrait: str, index: int) -> list[Image]:
    """A portrait of ``server/avatars`` that says ``spoken(index)``, 256 pixels square."""
    from liveportrait.lite.engine import LiteRenderer
    from models.device import DevicePolicy
    from models.images import decode_image

    renderer = LiteRenderer(DevicePolicy(), ROOT / "weights")
    photo = decode_image((ROOT / f"server/avatars/{portrait}.jpg").read_bytes())
    prepared = renderer.prepare(photo)
    motion = renderer.drive(prepared, talking_motion(mouth_saying(index)))
    frames = [renderer.render([prepared], motion[t : t + 1])[0] for t in range(len(motion))]
    return [np.ascontiguousarray(frame[::2, ::2]) for frame in frames]


def mesh_at(x: float, y: float, height: float, seed: int = 0) -> FaceLandmarks:
    """A made-up face [L, 3]: points around (x, y), forehead and chin ``height`` apart."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(-0.4, 0.4, (LANDMARKS, 3)) * height
    points[10], points[152] = (0, -height / 2, 0), (0, height / 2, 0)
    points[:, :2] += (x, y) - points[:, :2].mean(0)
    return FaceLandmarks(points.astype(np.float32))


class ScriptedDetector:
    """Finds what it was told to, picture after picture."""

    def __init__(self, script: list[list[FaceLandmarks]]) -> None:
        self._script = iter(script)

    def detect(self, rgb: Image) -> list[FaceLandmarks]:
        """See FaceDetector."""
        del rgb
        return sorted(next(self._script), key=lambda face: -face.height_px)
