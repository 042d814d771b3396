"""What encoding costs on this machine, measured once when the server starts."""

import time

import cv2
import numpy as np

from models.images import decode_image
from models.shapes import Image
from server.config.encoding import EncodingSettings
from server.encoding.codecs import VideoEncoder, VideoFormat
from server.encoding.h264 import H264Encoder
from server.encoding.vp8 import Vp8Encoder

SIDE_PX = 512
WARM_UP_PICTURES, PICTURES = 3, 12


def encode_cpu_ms(portrait: bytes, settings: EncodingSettings) -> float:
    """CPU time of one picture of 512x512 in the dearer codec: a client may choose either.

    CPU time, so that whatever else runs at the start is not counted. About a third of a second.
    """
    pictures = _moving(decode_image(portrait))
    video_format = VideoFormat(SIDE_PX, SIDE_PX)
    encoders = (Vp8Encoder(video_format), H264Encoder(video_format, nvenc=False))
    bit_s = settings.ceiling_bit_s(SIDE_PX, SIDE_PX)
    return max(_median_ms(encoder, pictures, bit_s) for encoder in encoders)


def _median_ms(encoder: VideoEncoder, pictures: list[Image], bit_s: int) -> float:
    taken = []
    for frame, picture in enumerate(pictures):
        began = time.thread_time()
        encoder.encode(picture, frame, key=frame == 0, bit_s=bit_s)
        taken.append(time.thread_time() - began)
    return 1000 * float(np.median(taken[WARM_UP_PICTURES:]))


def _moving(portrait: Image) -> list[Image]:
    """The portrait as I420, moving like a head that speaks."""
    square = cv2.resize(portrait, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
    pictures: list[Image] = []
    for at in np.linspace(0.0, 2 * np.pi, WARM_UP_PICTURES + PICTURES):
        turn = cv2.getRotationMatrix2D((SIDE_PX / 2, SIDE_PX / 2), 2 * np.sin(at), 1.0)
        moved = cv2.warpAffine(square, turn, (SIDE_PX, SIDE_PX), borderMode=cv2.BORDER_REPLICATE)
        pictures.append(cv2.cvtColor(moved, cv2.COLOR_RGB2YUV_I420).astype(np.uint8))
    return pictures
