"""What is animated, prepared for the networks: crops, keypoints, and the way back."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat

import numpy as np

from liveportrait.animate.animation import Steps
from liveportrait.animate.job import AnimateJob, CropBox
from liveportrait.animation.driving import SourceMotion
from liveportrait.animation.keypoints import KeypointInfo, concatenate
from liveportrait.pipeline import in_batches, in_parallel, read_ahead
from liveportrait.runtime.decoder import FrameDecoder
from liveportrait.source.crop import HUMAN_SOURCE, FaceCrop, crop_image, crop_square
from liveportrait.source.driving_crop import crop_source_frames, track_faces
from liveportrait.source.faces import choose_analyser
from liveportrait.source.media import VideoFrames, read_source
from models.shapes import FloatArray, Image

_AHEAD = 4


@dataclass(frozen=True, slots=True)
class NeuralSource:
    """A photograph, or a video of T frames; its pictures are read again when they are needed."""

    media: Image | VideoFrames
    motion: SourceMotion  # 1 or T frames
    crops_256: list[Image]  # 1 or T, each [256, 256, 3]
    to_photo: list[FloatArray]  # 1 or T, crop -> picture pixels, each [3, 3]

    @property
    def fps(self) -> float | None:
        """Of a video."""
        return self.media.fps if isinstance(self.media, VideoFrames) else None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of its pictures."""
        if isinstance(self.media, VideoFrames):
            return self.media.size
        return self.media.shape[1], self.media.shape[0]

    def pictures(self) -> Iterator[Image]:
        """Without end for a photograph."""
        if isinstance(self.media, VideoFrames):
            return iter(self.media)
        return repeat(self.media)


def prepare_source(job: AnimateJob, decoder: FrameDecoder, steps: Steps) -> NeuralSource:
    """Read and crop the job's source, and ask the motion extractor about it.

    Raises what ``read_source`` raises, NoFaceError, and ConfigError for a crop box outside.
    """
    media = read_source(job.source, max_frames=job.max_frames)
    if isinstance(media, VideoFrames):
        steps.expect(2 * len(media))
        crops, landmarks = _cropped_video(job, media)
    else:
        crops, landmarks = _cropped_photo(job, media)
    infos: list[KeypointInfo] = []
    crops_256: list[Image] = []
    to_photo: list[FloatArray] = []
    for batch in in_batches(read_ahead(crops, _AHEAD), job.batch):
        infos.append(decoder.motion(np.stack([crop.image_256 for crop in batch])))
        crops_256 += [crop.image_256 for crop in batch]
        to_photo += [crop.to_photo for crop in batch]
        if isinstance(media, VideoFrames):
            steps.advance(len(batch))
    return NeuralSource(media, SourceMotion(concatenate(infos), landmarks), crops_256, to_photo)


def _cropped_photo(job: AnimateJob, photo: Image) -> tuple[list[FaceCrop], FloatArray | None]:
    if job.crop_box is not None:
        return [_boxed(photo, job.crop_box)], None
    face = choose_analyser(job.weights).find_one(photo, job.source.name)
    crop = crop_image(photo, face.crop_points, HUMAN_SOURCE)
    return [crop], face.ratio_points[None]


def _cropped_video(
    job: AnimateJob, video: VideoFrames
) -> tuple[Iterable[FaceCrop], FloatArray | None]:
    box = job.crop_box
    if box is not None:
        return in_parallel(video, lambda frame: _boxed(frame, box), job.workers), None
    track = track_faces(read_ahead(video, _AHEAD), choose_analyser(job.weights), job.source.name)
    return crop_source_frames(video, track, HUMAN_SOURCE, job.workers), track.points


def _boxed(picture: Image, box: CropBox) -> FaceCrop:
    return crop_square(picture, box.x, box.y, box.width, box.height)
