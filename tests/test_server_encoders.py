"""VP8 and H264 encoders: what comes out of a decoder is what went in, in every size."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from av import CodecContext, Packet
from av.video.reformatter import ColorRange, Colorspace

from models.shapes import Image
from server.encoding.codecs import VideoEncoder, VideoFormat
from server.encoding.h264 import H264Encoder, nvenc_opens
from server.encoding.opus import OpusEncoder
from server.encoding.vp8 import FRAMES_BETWEEN_CHANGES, Vp8Encoder
from server.webrtc.tracks import audio_frame
from tests.conftest import ROOT
from tests.server_fixtures import tone

MakeEncoder = Callable[[VideoFormat], VideoEncoder]
ENCODERS: dict[str, MakeEncoder] = {
    "vp8": Vp8Encoder,
    "h264": lambda video_format: H264Encoder(video_format, nvenc=False),
}
NAL_IDR, NAL_SPS, NAL_PPS = 5, 7, 8
BASELINE = 66


@pytest.fixture(params=sorted(ENCODERS))
def codec(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def face(width: int, height: int, frame: int) -> Image:
    """A shipped portrait that nods: I420 [H * 3 / 2, W]."""
    photo = cv2.imread(str(ROOT / "server/avatars/p08.jpg"))
    photo = cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA)
    nod = np.array([[1, 0, 0], [0, 1, 3 * np.sin(frame / 4)]], np.float32)
    moved = cv2.warpAffine(photo, nod, (width, height), borderMode=cv2.BORDER_REFLECT)
    i420: Image = cv2.cvtColor(moved, cv2.COLOR_BGR2YUV_I420).astype(np.uint8)
    return i420


def decode(codec: str, packets: list[Packet]) -> list[Image]:
    decoder = CodecContext.create(codec, "r")
    frames = [f for packet in packets for f in decoder.decode(Packet(bytes(packet)))]
    frames += decoder.decode(None)
    return [frame.to_ndarray(format="yuv420p") for frame in frames]


def psnr_db(a: Image, b: Image) -> float:
    error = np.mean((a.astype(np.float32) - b.astype(np.float32)) ** 2)
    return float(10 * np.log10(255**2 / error))


def encode(encoder: VideoEncoder, pictures: list[Image], bit_s: int) -> list[Packet]:
    return [
        encoder.encode(picture, frame, key=False, bit_s=bit_s)
        for frame, picture in enumerate(pictures)
    ]


def nal_types(packet: Packet) -> list[int]:
    data = bytes(packet)
    starts = [i + 3 for i in range(len(data) - 3) if data[i : i + 3] == b"\0\0\1"]
    return [data[start] & 31 for start in starts]


SIZES = [(256, 256), (512, 512), (768, 768), (1280, 720), (542, 362), (498, 374)]


@pytest.mark.parametrize("size", SIZES)
def test_decoded_pictures_are_those_that_went_in(codec: str, size: tuple[int, int]) -> None:
    pictures = [face(*size, frame) for frame in range(8)]
    packets = encode(ENCODERS[codec](VideoFormat(*size)), pictures, bit_s=size[0] * size[1] * 6)
    decoded = decode(codec, packets)
    assert len(decoded) == len(packets) == 8
    assert [packet.pts for packet in packets] == list(range(8))
    assert min(psnr_db(a, b) for a, b in zip(decoded, pictures, strict=True)) > 33


def test_a_key_frame_only_at_the_start_and_where_it_is_asked_for(codec: str) -> None:
    encoder: VideoEncoder = ENCODERS[codec](VideoFormat(256, 256))
    packets = [
        encoder.encode(face(256, 256, frame % 9), frame, key=frame == 60, bit_s=500_000)
        for frame in range(120)
    ]
    assert [packet.pts for packet in packets if packet.is_keyframe] == [0, 60]
    from_the_second = decode(codec, packets[60:])
    assert len(from_the_second) == 60
    assert psnr_db(from_the_second[0], face(256, 256, 60 % 9)) > 33


def test_the_bit_rate_is_kept(codec: str) -> None:
    rng = np.random.default_rng(5)
    pictures = [
        np.clip(
            face(256, 256, frame % 25).astype(np.int16) + rng.integers(-9, 9, (384, 256)), 0, 255
        )
        for frame in range(100)
    ]
    encoder = ENCODERS[codec](VideoFormat(256, 256))
    packets = encode(encoder, [p.astype(np.uint8) for p in pictures], bit_s=600_000)
    steady = packets[25:]
    assert sum(p.size for p in steady) * 8 / (len(steady) / 25) == pytest.approx(600_000, rel=0.15)


def test_a_still_picture_costs_next_to_nothing(codec: str) -> None:
    still = face(512, 512, 0)
    packets = encode(ENCODERS[codec](VideoFormat(512, 512)), [still] * 60, bit_s=1_000_000)
    assert np.mean([packet.size for packet in packets[40:]]) < 800


def sizes_with_change(codec: str, change_at: int, bit_s: int) -> tuple[list[int], list[int]]:
    """Packet sizes and key frames of 250 noisy pictures; from ``change_at`` on at ``bit_s``."""
    rng = np.random.default_rng(6)
    encoder: VideoEncoder = ENCODERS[codec](VideoFormat(128, 128))
    sizes, keys = [], []
    base = face(128, 128, 0).astype(np.int16)
    for frame in range(250):
        noisy = np.clip(base + rng.integers(-20, 20, base.shape), 0, 255).astype(np.uint8)
        rate = 600_000 if frame < change_at else bit_s
        packet = encoder.encode(noisy, frame, key=False, bit_s=rate)
        sizes.append(packet.size)
        if packet.is_keyframe:
            keys.append(frame)
    return sizes, keys


def test_h264_takes_another_bit_rate_without_a_key_frame() -> None:
    sizes, keys = sizes_with_change("h264", 125, 300_000)
    assert keys == [0]
    assert np.mean(sizes[200:]) == pytest.approx(np.mean(sizes[50:125]) / 2, rel=0.2)


def test_vp8_begins_anew_only_for_what_is_worth_a_key_frame() -> None:
    assert sizes_with_change("vp8", 150, 480_000)[1] == [0]
    sizes, keys = sizes_with_change("vp8", 60, 300_000)
    assert keys == [0, FRAMES_BETWEEN_CHANGES]
    assert np.mean(sizes[200:]) == pytest.approx(np.mean(sizes[50:120]) / 2, rel=0.2)


def test_h264_is_constrained_baseline_as_the_answer_says() -> None:
    encoder = H264Encoder(VideoFormat(512, 512), nvenc=False)
    first = encoder.encode(face(512, 512, 0), 0, key=False, bit_s=1_000_000)
    assert {NAL_SPS, NAL_PPS, NAL_IDR} <= set(nal_types(first))
    data = bytes(first)
    sps = data.index(b"\0\0\1\x67") + 4
    profile, constraints, level = data[sps : sps + 3]
    assert profile == BASELINE
    assert constraints & 0x40  # constraint_set1: nothing that constrained baseline has not
    assert level <= 31
    decoder = CodecContext.create("h264", "r")
    (shown,) = list(decoder.decode(Packet(data))) + list(decoder.decode(None))
    assert shown.colorspace == Colorspace.SMPTE170M  # as OpenCV makes I420 of RGB
    assert shown.color_range == ColorRange.MPEG
    second = encoder.encode(face(512, 512, 1), 1, key=True, bit_s=1_000_000)
    assert {NAL_SPS, NAL_PPS, NAL_IDR} <= set(nal_types(second))


def test_without_nvenc_x264_does_its_work() -> None:
    encoder = H264Encoder(VideoFormat(256, 256), nvenc=True)
    pictures = [face(256, 256, frame) for frame in range(4)]
    packets = encode(encoder, pictures, bit_s=500_000)
    assert len(decode("h264", packets)) == 4
    assert encoder.library == ("h264_nvenc" if nvenc_opens() else "libx264")


def test_opus_packets_carry_their_media_position() -> None:
    encoder, decoder = OpusEncoder(), CodecContext.create("libopus", "r")
    wave, heard = tone(1.0), []
    for position in range(0, 48_000, 960):
        packet = encoder.encode(audio_frame(wave[position : position + 960], position + 96_000))
        assert packet.pts == position + 96_000
        heard += [frame.to_ndarray()[0] for frame in decoder.decode(Packet(bytes(packet)))]
    sound = np.concatenate(heard) / 32768
    assert np.sqrt(np.mean(sound[9600:] ** 2)) == pytest.approx(0.3 / np.sqrt(2), rel=0.1)
