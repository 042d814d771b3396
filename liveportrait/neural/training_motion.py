"""Motion of the official extractor M for training: ``dit prepare --engine liveportrait`` reads it.

A stretch is cut as an official driving video is: one box, the mean over its frames. The motion is
what ``NeuralRenderer.drive`` adds to a photograph: angles, shift and expression less the person's
own at rest, scale over it. Rest is the middle head pose, and the mean expression of calm frames.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from liveportrait.animation.keypoints import concatenate
from liveportrait.neural.engine import networks_of
from liveportrait.pipeline import in_batches
from liveportrait.runtime.decoder import EagerDecoder, FrameDecoder
from liveportrait.source.driving_crop import crop_to_box, driving_box
from liveportrait.source.mediapipe_faces import official_points
from models.device import DevicePolicy
from models.face_keypoints import calm_frames, median_pose
from models.motion import Motion
from models.shapes import FloatArray, Image

BATCH = 8


class ExtractorMotion:
    """A motion reader for ``dit.preparation``: see ``MotionReader`` there."""

    engine = "liveportrait"

    def __init__(self, decoder: FrameDecoder) -> None:
        self._decoder = decoder

    def read(self, points: FloatArray, pictures: Callable[[], Iterator[Image]]) -> Motion:
        """points: [T, L, 3], the face mesh in each of the T pictures -> T frames of motion.

        Raises ValueError when there are fewer or more pictures than meshes.
        """
        box = driving_box(np.stack([official_points(mesh) for mesh in points]))
        crops = (crop_to_box(picture, box).image_256 for picture in pictures())
        infos = [self._decoder.motion(np.stack(batch)) for batch in in_batches(crops, BATCH)]
        motion = concatenate(infos).to_motion()
        if len(motion) != len(points):
            raise ValueError(f"{len(motion)} pictures, but {len(points)} face meshes")
        return less_rest(motion, points)


def less_rest(motion: Motion, points: FloatArray) -> Motion:
    """Absolute motion of T frames -> what is added to a photograph; points: [T, L, 3]."""
    usual = median_pose(motion)
    return Motion(
        motion.pitch - usual.pitch,
        motion.yaw - usual.yaw,
        motion.roll - usual.roll,
        motion.t - usual.t,
        motion.scale / usual.scale,
        motion.exp - motion.exp[calm_frames(points)].mean(0),
    )


def load_training_motion(weights: Path, seeded: bool) -> ExtractorMotion:
    """With the official networks of the ``weights`` folder, or the tests' made-up ones.

    Raises MissingWeightsError, ChecksumError or WeightsError.
    """
    # plain PyTorch: the fast decoders would compile the generator, which is not asked for anything
    policy = replace(DevicePolicy.for_this_machine(), precision="fp32", backend="torch")
    return ExtractorMotion(EagerDecoder(networks_of(weights, seeded=seeded), policy))
