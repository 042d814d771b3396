"""A WebRTC client that notes when RTP packets arrive and what sender reports say.

Arrival is taken when a packet arrives, not when a receiver has decoded it: no jitter buffer of the
measuring client is part of the figures.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCSessionDescription,
)
from aiortc.codecs import get_decoder
from aiortc.codecs.base import Decoder
from aiortc.jitterbuffer import JitterFrame
from aiortc.mediastreams import MediaStreamError
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtp import RtcpSrPacket

from models.shapes import AnyArray, Image, PcmArray
from server.bench.speech_microphone import SpeechMicrophone
from server.voice.media_time import PLAYOUT_RATE_HZ, VIDEO_CLOCK_HZ

CLOCK_HZ = {"video": VIDEO_CLOCK_HZ, "audio": PLAYOUT_RATE_HZ}
_HALF_WRAP = 2**31
_SETTLING_S = 1.0  # after the first packet, left out of the gaps


@dataclass(slots=True)
class Received:
    """What came of one kind. Arrivals are moments of ``time.monotonic`` by RTP time stamp; stamps
    count on where RTP's 32 bits wrap."""

    arrivals: dict[int, float] = field(default_factory=dict)
    reports: list[tuple[float, int]] = field(default_factory=list)  # (NTP seconds, time stamp)

    def unwrapped(self, stamp: int) -> int:
        """A packet's time stamp without the wrap."""
        if not self.arrivals:
            return stamp
        first = self.first_stamp
        return first + (stamp - first + _HALF_WRAP) % (2 * _HALF_WRAP) - _HALF_WRAP

    @property
    def first_stamp(self) -> int:
        """Of the first packet that came."""
        return next(iter(self.arrivals))

    def arrival_ms_after_first(self, media_ms: float, clock_hz: int) -> float | None:
        """When the packet of a media time since the first packet came."""
        return self.arrivals.get(self.first_stamp + round(media_ms * clock_hz / 1000))


class MeasuredPeer:
    """Receives a session's face and sound while its microphone, if it has one, speaks.

    While ``keeping``, pictures and sound are kept. Pictures are decoded when they are asked for, so
    that the client takes little of the machine that it measures.
    """

    def __init__(self, microphone: SpeechMicrophone | None = None) -> None:
        self.microphone = microphone
        self.sounds: list[tuple[int, PcmArray]] = []  # (samples since the first, [n] at 48 kHz)
        self.received = {"video": Received(), "audio": Received()}
        self.offered_at = 0.0
        self.first_picture = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._connection.on("track", self._take)
        self._connection.addTransceiver("video", direction="recvonly")
        if microphone is None:
            self._connection.addTransceiver("audio", direction="recvonly")
        else:
            self._connection.addTrack(microphone)
        for transceiver in self._connection.getTransceivers():
            if transceiver.kind == "video":
                self._video = _KeptVideo(transceiver.receiver)
            self._listen(transceiver.kind, transceiver.receiver)

    @property
    def keeping(self) -> bool:
        """Pictures and sound are kept."""
        return self._video.on

    @keeping.setter
    def keeping(self, keep: bool) -> None:
        self._video.on = keep

    async def connect(self, client: httpx.AsyncClient, url: str) -> None:
        """Offer and take the answer. Raises httpx.HTTPStatusError."""
        connection = self._connection
        await connection.setLocalDescription(await connection.createOffer())
        self.offered_at = time.monotonic()
        offer = {"sdp": connection.localDescription.sdp, "type": "offer"}
        answer = (await client.post(url, json=offer)).raise_for_status().json()
        await connection.setRemoteDescription(RTCSessionDescription(answer["sdp"], "answer"))

    async def close(self) -> None:
        """Hang up."""
        await self._connection.close()
        await asyncio.gather(*self._tasks)

    def first_picture_at(self) -> float:
        """When the first packet of the first picture came."""
        return min(self.received["video"].arrivals.values())

    def picture_gaps_ms(self) -> AnyArray:
        """Times between two pictures' first packets [n], the first second left out."""
        times = np.sort(list(self.received["video"].arrivals.values()))
        gaps: AnyArray = np.diff(times[times > times[0] + _SETTLING_S]) * 1000
        return gaps

    def av_gaps_ms(self) -> AnyArray:
        """How far a receiver that trusts the sender reports shows pictures behind their sound, by
        every report of the video [n].

        A report ties a media time to a wall time; the two tracks' first packets carry the same
        media time, so the difference of the two ties is the gap.
        """
        ties = {
            kind: np.array([ntp - (ts - of.first_stamp) / CLOCK_HZ[kind] for ntp, ts in of.reports])
            for kind, of in self.received.items()
        }
        if not len(ties["video"]) or not len(ties["audio"]):
            return np.zeros(0)
        newest = np.minimum(np.arange(len(ties["video"])), len(ties["audio"]) - 1)
        gaps: AnyArray = (ties["video"] - ties["audio"][newest]) * 1000
        return gaps

    def pictures(self) -> Iterator[tuple[int, Image]]:
        """Every picture kept: media ms since the first, RGB [H, W, 3]. Decodes them, so it takes
        its time."""
        decoders: dict[str, Decoder] = {}
        for codec, encoded in self._video.frames:
            decoder = decoders.setdefault(codec.mimeType, get_decoder(codec))
            for frame in decoder.decode(encoded):
                yield encoded.timestamp * 1000 // VIDEO_CLOCK_HZ, frame.to_ndarray(format="rgb24")

    def sound(self) -> PcmArray:
        """Everything kept [n] at 48 kHz, each packet in its place; what was lost is silent."""
        whole = np.zeros(max((at + len(pcm) for at, pcm in self.sounds), default=0), np.int16)
        for at, pcm in self.sounds:
            whole[at : at + len(pcm)] = pcm
        return whole

    def sound_arrival(self, samples: int) -> float | None:
        """When the packet came whose sound begins ``samples`` after the first."""
        audio = self.received["audio"]
        return audio.arrivals.get(audio.first_stamp + samples)

    def _take(self, track: MediaStreamTrack) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(self._read(track)))

    async def _read(self, track: MediaStreamTrack) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                if self.keeping:
                    self.sounds.append((frame.pts, frame.to_ndarray().reshape(-1)[::2].copy()))

    def _listen(self, kind: str, receiver: RTCRtpReceiver) -> None:
        """aiortc has no hook for arrivals, so its two handlers are wrapped."""
        handle_rtp, handle_rtcp = receiver._handle_rtp_packet, receiver._handle_rtcp_packet
        received = self.received[kind]

        async def rtp(packet: Any, arrival_time_ms: int) -> None:
            received.arrivals.setdefault(received.unwrapped(packet.timestamp), time.monotonic())
            if kind == "video":
                self.first_picture.set()
            await handle_rtp(packet, arrival_time_ms)

        async def rtcp(packet: Any) -> None:
            if isinstance(packet, RtcpSrPacket) and packet.sender_info.packet_count:
                info = packet.sender_info
                stamp = received.unwrapped(info.rtp_timestamp)
                received.reports.append((info.ntp_timestamp / 2**32, stamp))
            await handle_rtcp(packet)

        receiver._handle_rtp_packet, receiver._handle_rtcp_packet = rtp, rtcp


class _KeptVideo:
    """Stands where a receiver hands frames over to be decoded, and keeps them encoded: decoding
    them at once would take the cores that are being measured."""

    def __init__(self, receiver: RTCRtpReceiver) -> None:
        self.on = True
        self.frames: list[tuple[RTCRtpCodecParameters, JitterFrame]] = []
        self._queue = receiver._RTCRtpReceiver__decoder_queue
        receiver._RTCRtpReceiver__decoder_queue = self

    def put(self, work: tuple[RTCRtpCodecParameters, JitterFrame] | None) -> None:
        """Of the receiver: a frame, or None at the end."""
        if work is None:
            self._queue.put(None)
        elif self.on:
            self.frames.append(work)

    def get(self) -> None:
        """Of the decoding thread, which has only the end to wait for."""
        self._queue.get()
