"""Figures that tell a usable stretch from others, and the filters that read them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from dit.preparation.settings import QualitySettings
from dit.preparation.tracks import Scene
from models.face_keypoints import STABLE, landmarks_to_motion, lip_gap
from models.shapes import FloatArray
from models.timing import FPS, SAMPLE_RATE_HZ

RIVAL_SHARE = 0.7  # of the face's height: from here on another face is of like size
SPEECH_PROBABILITY = 0.5
_VAD_SAMPLES = 512


@dataclass(frozen=True, slots=True)
class Filter:
    """Keeps stretches whose figure lies between ``least`` and ``most``."""

    figure: str
    reason: str
    least: float = -np.inf
    most: float = np.inf

    def problem(self, figures: Mapping[str, float]) -> str | None:
        """Why a stretch is left out, with the figure and what is accepted; None when it passes."""
        value = figures[self.figure]
        if self.least <= value <= self.most:
            return None
        bound = f"{self.least:g} and more" if value < self.least else f"up to {self.most:g}"
        return f"{self.reason} ({self.figure} {value:.3g}; accepted: {bound})"


def filters_of(settings: QualitySettings) -> list[Filter]:
    """In the order in which a stretch is judged: the first one that fails is its reason."""
    return [
        Filter("seconds", "too short", least=settings.shortest_s),
        Filter("missing", "face often lost", most=settings.most_missing),
        Filter("face_px", "face too small", least=settings.least_face_px),
        Filter("rivals", "several faces", most=settings.most_rivals),
        Filter("yaw_deg", "turned away", most=settings.most_yaw_deg),
        Filter("pitch_deg", "looks up or down", most=settings.most_pitch_deg),
        Filter("sharpness", "blurred", least=settings.least_sharpness),
        Filter("jitter", "unsteady landmarks", most=settings.most_jitter),
        Filter("lip_movement", "mouth does not move", least=settings.least_lip_movement),
        Filter("speech", "hardly any speech", least=settings.least_speech),
    ]


def scene_figures(scene: Scene, wave: FloatArray) -> dict[str, float]:
    """Figures of a scene and its sound [640 T], by the names that the filters read."""
    pose = landmarks_to_motion(scene.points)[0]
    heights = np.linalg.norm(scene.points[:, 10] - scene.points[:, 152], axis=-1)
    figures = {
        "seconds": len(scene) / FPS,
        "missing": float((~scene.found).mean()),
        "face_px": float(np.median(heights)),
        "rivals": float((scene.rivals >= RIVAL_SHARE).mean()),
        "yaw_deg": float(np.quantile(np.abs(pose.yaw), 0.95)),
        "pitch_deg": float(np.quantile(np.abs(pose.pitch), 0.95)),
        "sharpness": float(np.median(scene.sharpness[scene.found])),
        "jitter": jitter(scene.points),
        "lip_movement": float(lip_gap(scene.points).std()),
        "speech": speech_share(wave),
    }
    return {name: round(value, 5) for name, value in figures.items()}


def jitter(points: FloatArray) -> float:
    """Median acceleration per frame of the points that expressions spare, in eye distances.

    A head cannot shake 25 times a second: what is left is the tracker's or the codec's.
    points: [T, L, 3]; 0 below three frames.
    """
    if len(points) < 3:
        return 0.0
    stable = points[:, STABLE, :2]
    bend = stable[2:] - 2 * stable[1:-1] + stable[:-2]
    eyes = np.linalg.norm(points[1:-1, 33, :2] - points[1:-1, 263, :2], axis=-1)
    length = np.linalg.norm(bend, axis=-1).mean(1)
    return float(np.median(length / np.maximum(eyes, 1.0)))


def speech_share(wave: FloatArray) -> float:
    """Share of the time [N] in which Silero's voice activity detector (MIT) hears speech."""
    count = len(wave) // _VAD_SAMPLES
    if not count:
        return 0.0
    import torch

    model = _voice_activity_detector()
    model.reset_states()
    windows = wave[: count * _VAD_SAMPLES].reshape(count, 1, _VAD_SAMPLES)
    probabilities = [float(model(torch.from_numpy(w), SAMPLE_RATE_HZ)) for w in windows]
    return float(np.mean(np.array(probabilities) >= SPEECH_PROBABILITY))


@cache
def _voice_activity_detector() -> Any:
    import torch

    threads = torch.get_num_threads()
    from silero_vad import load_silero_vad

    model = load_silero_vad(onnx=True)
    torch.set_num_threads(threads)  # importing it sets one for the whole process
    return model
