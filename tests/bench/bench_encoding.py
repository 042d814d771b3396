"""What encoding a talking head takes: run it, it is no test.

python tests/bench/bench_encoding.py [--frames N] [--avatar NAME] [--size 256|512|768]
    [--viewers] [--key-colour]

Renders a spoken sentence with the lite engine, then encodes its pictures with every setting in
question: CPU time in the encoder's thread, bits, and PSNR against what was rendered. ``--viewers``:
one shared encoding against one for each viewer. ``--key-colour``: how far a pure background colour
spreads in the decoded pictures.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from av import CodecContext, Packet

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from liveportrait.output import GREEN, ColourBackground, OutputOptions  # noqa: E402
from models.shapes import Image  # noqa: E402
from models.sound import read_sound  # noqa: E402
from server.config.encoding import EncodingSettings  # noqa: E402
from server.encoding import h264, vp8  # noqa: E402
from server.encoding.codecs import VideoFormat, as_frame  # noqa: E402
from server.encoding.opus import OpusEncoder  # noqa: E402
from server.engine.config import MotionLevels  # noqa: E402
from server.videos.offline import (  # noqa: E402
    avatar_image,
    offline_media,
    offline_plan,
    offline_session,
    open_engine,
)
from server.videos.render_job import RenderJob  # noqa: E402
from server.voice.media_time import PLAYOUT_RATE_HZ, SAMPLES_PER_PICTURE  # noqa: E402
from server.voice.pcm import to_pcm  # noqa: E402
from server.webrtc.tracks import audio_frame  # noqa: E402

SAMPLE = ROOT / "client/web/samples/hello.wav"
RATES_KBIT_S = (600, 1000, 1500)
VP8_SPEEDS = ("-4", "-8", "-12", "-16")
X264_PRESETS = ("ultrafast", "superfast", "veryfast", "medium")


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--avatar", default="anna")
    parser.add_argument("--size", type=int, default=512, choices=(256, 512, 768))
    parser.add_argument("--viewers", action="store_true")
    parser.add_argument("--key-colour", action="store_true")
    asked = parser.parse_args()
    background = ColourBackground(GREEN) if asked.key_colour else None
    output = OutputOptions(asked.size, "face", background)
    pictures = asyncio.run(rendered(asked.avatar, asked.frames, output))
    if asked.key_colour:
        measure_key_colour(pictures)
    elif asked.viewers:
        measure_viewers(pictures)
    else:
        measure_settings(pictures)
    measure_sound()


async def rendered(avatar: str, frames: int, output: OutputOptions) -> list[Image]:
    """I420 pictures [H * 3 / 2, W] of a spoken sentence."""
    job = RenderJob(avatar, SAMPLE, Path("unused.mp4"), 7, "lite", output=output)
    pcm = to_pcm(read_sound(SAMPLE, out_rate_hz=PLAYOUT_RATE_HZ))[: frames * SAMPLES_PER_PICTURE]
    image = avatar_image(avatar)
    async with open_engine(job.engine, image) as pool:
        plan = await offline_plan(pool, image, job)
        session = offline_session(pool, plan, MotionLevels(), len(pcm))
        media = offline_media(session, pcm)
        return [moment.picture async for moment in media if moment.picture is not None]


def measure_settings(pictures: list[Image]) -> None:
    """Every codec at every rate and speed."""
    video_format = VideoFormat(pictures[0].shape[1], pictures[0].shape[0] * 2 // 3)
    for kbit in RATES_KBIT_S:
        for speed in VP8_SPEEDS:
            options = vp8.OPTIONS | {"cpu-used": speed}
            codec = vp8.open_vp8(video_format, kbit * 1000, options)
            report(f"VP8  {kbit} kbit/s, cpu-used {speed}", "vp8", codec, pictures)
        for preset in X264_PRESETS:
            options = h264.X264_OPTIONS | {"preset": preset}
            codec = h264.open_h264(video_format, kbit * 1000, options=options)
            report(f"H264 {kbit} kbit/s, {preset}", "h264", codec, pictures)
    print("NVENC opens:", h264.nvenc_opens())


def report(name: str, decoder: str, codec: Any, pictures: list[Image]) -> None:
    """One line."""
    packets, cpu_ms = [], []
    for frame, picture in enumerate(pictures):
        began = time.thread_time()
        (packet,) = codec.encode(as_frame(picture, frame, key=False))
        cpu_ms.append((time.thread_time() - began) * 1000)
        packets.append(packet)
    kbit_s = sum(packet.size for packet in packets) * 8 / len(packets) * 25 / 1000
    decoded = decode(decoder, packets)
    psnr = [psnr_db(a, b) for a, b in zip(decoded, pictures, strict=True)]
    print(
        f"{name:34} {np.mean(cpu_ms):6.2f} ms (p95 {np.percentile(cpu_ms, 95):5.2f})"
        f" {kbit_s:6.0f} kbit/s  key frame {packets[0].size / 1000:5.1f} kB"
        f"  PSNR {np.mean(psnr):5.2f} dB (worst {np.min(psnr):5.2f})",
        flush=True,
    )


def measure_viewers(pictures: list[Image]) -> None:
    """CPU time a picture for 1 and 4 viewers, encoded once and once for each."""
    side = pictures[0].shape[1]
    video_format = VideoFormat(side, pictures[0].shape[0] * 2 // 3)
    bit_s = EncodingSettings().ceiling_bit_s(video_format.width, video_format.height)
    from aiortc.codecs.h264 import H264Encoder as H264Packer
    from aiortc.codecs.vpx import Vp8Encoder as Vp8Packer

    ways: list[tuple[str, Callable[[], Any], Callable[[], Any]]] = [
        ("VP8", lambda: vp8.open_vp8(video_format, bit_s), Vp8Packer),
        ("H264", lambda: h264.open_h264(video_format, bit_s), H264Packer),
    ]
    for name, open_codec, make_packer in ways:
        for viewers in (1, 4):
            shared = cpu_ms_per_picture(pictures, [open_codec()], make_packer, viewers)
            own = [open_codec() for _ in range(viewers)]
            each = cpu_ms_per_picture(pictures, own, make_packer, viewers)
            print(f"{name:5} {viewers} viewers: shared {shared:5.2f} ms, each {each:5.2f} ms")


def cpu_ms_per_picture(
    pictures: list[Image], codecs: list[Any], make_packer: Callable[[], Any], viewers: int
) -> float:
    """Encoding by all ``codecs`` and packing for every viewer."""
    packers = [make_packer() for _ in range(viewers)]
    began = time.thread_time()
    for frame, picture in enumerate(pictures):
        for codec in codecs:
            (packet,) = codec.encode(as_frame(picture, frame, key=False))
        for packer in packers:
            packer.pack(packet)
    return (time.thread_time() - began) * 1000 / len(pictures)


def measure_key_colour(pictures: list[Image]) -> None:
    """The background's corner in decoded pictures, against the colour that was asked for."""
    video_format = VideoFormat(pictures[0].shape[1], pictures[0].shape[0] * 2 // 3)
    bit_s = EncodingSettings().ceiling_bit_s(video_format.width, video_format.height)
    wanted = np.array([int(GREEN[i : i + 2], 16) for i in (1, 3, 5)])
    tries = [
        ("before encoding", pictures),
        ("VP8", decode("vp8", encode_all(vp8.open_vp8(video_format, bit_s), pictures))),
        ("H264", decode("h264", encode_all(h264.open_h264(video_format, bit_s), pictures))),
    ]
    masks = [background_mask(picture, wanted) for picture in pictures]
    print(f"background: {np.mean([mask.mean() for mask in masks]):.0%} of the picture")
    for name, seen in tries:
        away = np.concatenate(
            [
                np.abs(cv2.cvtColor(p, cv2.COLOR_YUV2RGB_I420)[m].astype(int) - wanted).max(axis=1)
                for p, m in zip(seen, masks, strict=True)
            ]
        )
        shares = ", ".join(f"{np.mean(away > limit):.2%} > {limit}" for limit in (4, 8, 16))
        print(
            f"{name:16} median {np.median(away):.0f}, 99.9 % {np.percentile(away, 99.9):.0f}"
            f", worst {away.max()} of 255 from {GREEN}; {shares}"
        )


def background_mask(picture: Image, wanted: Any) -> Any:
    """Where the rendered picture has the pure colour, 4 pixels or more from anything else."""
    rgb = cv2.cvtColor(picture, cv2.COLOR_YUV2RGB_I420).astype(int)
    pure = (np.abs(rgb - wanted).max(axis=2) <= 4).astype(np.uint8)
    return cv2.erode(pure, np.ones((9, 9), np.uint8)).astype(bool)


def measure_sound() -> None:
    """Opus on the event loop."""
    encoder = OpusEncoder()
    pcm = to_pcm(read_sound(SAMPLE, out_rate_hz=PLAYOUT_RATE_HZ))
    taken = []
    for position in range(0, len(pcm) - 960, 960):
        began = time.thread_time()
        encoder.encode(audio_frame(pcm[position : position + 960], position))
        taken.append((time.thread_time() - began) * 1000)
    print(f"Opus: {np.mean(taken):.2f} ms a packet of 20 ms (p95 {np.percentile(taken, 95):.2f})")


def encode_all(codec: Any, pictures: list[Image]) -> list[Packet]:
    """All pictures, one packet each."""
    return [codec.encode(as_frame(p, k, key=False))[0] for k, p in enumerate(pictures)]


def decode(codec: str, packets: list[Packet]) -> list[Image]:
    """I420 pictures."""
    decoder = CodecContext.create(codec, "r")
    frames = [frame for packet in packets for frame in decoder.decode(Packet(bytes(packet)))]
    return [frame.to_ndarray() for frame in [*frames, *decoder.decode(None)]]


def psnr_db(a: Image, b: Image) -> float:
    """Of all three planes."""
    error = float(np.mean((a.astype(np.float32) - b.astype(np.float32)) ** 2))
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


if __name__ == "__main__":
    main()
