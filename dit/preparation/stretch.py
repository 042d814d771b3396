"""One scene: judged, put in step, turned into motion and features. Nothing here touches a file."""

import base64
from dataclasses import dataclass

import numpy as np

from dit.preparation.motion import MotionReader, Pictures
from dit.preparation.offset import (
    Offset,
    frames_in_step,
    measure_offset,
    mouth_seen,
    sound_in_step,
)
from dit.preparation.quality import filters_of, scene_figures
from dit.preparation.report import StretchReport
from dit.preparation.settings import PrepareSettings
from dit.preparation.shards import Origin, Shard
from dit.preparation.tracks import Scene, Track
from dit.preparation.voice_to_mouth import VoiceToMouth
from models.face_keypoints import lip_gap, lip_width
from models.held_out import Split
from models.shapes import FloatArray
from models.speech_encoder import SpeechEncoder
from models.timing import FPS, SAMPLES_PER_FRAME

WRONG_SOUND = "sound does not fit the mouth"


@dataclass(frozen=True, slots=True)
class Stretch:
    """A scene that is kept: T frames in step with their sound, from ``first_frame`` of the clip."""

    first_frame: int
    track: Track
    offset: Offset

    @property
    def frames(self) -> int:
        """T."""
        return len(self.track.found)


def judge(
    scene: Scene,
    clip_wave: FloatArray,
    name: str,
    split: Split,
    settings: PrepareSettings,
    voice_to_mouth: VoiceToMouth,
) -> tuple[StretchReport, Stretch | None]:
    """What is to be said of a scene, and the stretch that is left of it when it passes.

    clip_wave: [N], the sound of the whole clip.
    """
    wave = sound_of(clip_wave, scene)
    figures = scene_figures(scene, wave)
    told = (f.problem(figures) for f in filters_of(settings.quality))
    reasons = [problem for problem in told if problem]
    offset: Offset | None = None
    if not reasons:
        most, least = settings.offset.most_lag_frames, settings.offset.least_confidence
        offset = measure_offset(voice_to_mouth.guess(wave), mouth_seen(scene.points), most)
        if offset.confidence < least:
            reasons = [
                f"{WRONG_SOUND} (confidence {offset.confidence:.3g}; accepted: {least:g} and more)"
            ]
    report = StretchReport(
        name,
        split,
        scene.start_frame / FPS,
        (scene.start_frame + len(scene)) / FPS,
        tuple(reasons),
        offset.lag if offset else None,
        round(offset.confidence, 3) if offset else None,
        figures,
        base64.b64encode(scene.thumbnail.tobytes()).decode(),
    )
    return report, None if offset is None or reasons else in_step(scene, wave, offset)


def in_step(scene: Scene, wave: FloatArray, offset: Offset) -> Stretch:
    """The part of a scene that has a sound when its sound [640 T] is moved back."""
    kept = frames_in_step(len(scene), offset.lag)
    track = Track(scene.points[kept], scene.found[kept], sound_in_step(wave, offset.lag))
    return Stretch(scene.start_frame + kept.start, track, offset)


def sound_of(clip_wave: FloatArray, scene: Scene) -> FloatArray:
    """The clip's sound [N] during a scene of T frames [640 T]; silence where it has ended."""
    own = clip_wave[scene.start_frame * SAMPLES_PER_FRAME :][: len(scene) * SAMPLES_PER_FRAME]
    return np.pad(own, (0, len(scene) * SAMPLES_PER_FRAME - len(own)))


def shard_of(
    stretch: Stretch,
    report: StretchReport,
    source: str,
    source_fps: float,
    reader: MotionReader,
    pictures: Pictures,
    encoder: SpeechEncoder,
) -> Shard:
    """Motion and speech features of a stretch. ``pictures``: its T pictures, where asked for."""
    track = stretch.track
    origin = Origin(
        source,
        stretch.first_frame / FPS,
        (stretch.first_frame + stretch.frames) / FPS,
        source_fps,
        stretch.offset.lag,
        round(stretch.offset.r, 4),
        {**report.figures, "confidence": round(stretch.offset.confidence, 3)},
    )
    return Shard(
        report.name,
        reader.read(track.points, pictures),
        encoder.encode(track.wave)[: stretch.frames],
        lip_gap(track.points).astype(np.float32),
        lip_width(track.points).astype(np.float32),
        report.split,
        origin,
    )
