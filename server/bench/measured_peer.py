"""An aiortc client that notes when RTP packets arrive and what sender reports say."""

import asyncio
import contextlib
import time
from fractions import Fraction
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
from aiortc.mediastreams import MediaStreamError
from aiortc.rtp import RtcpSrPacket
from av import AudioFrame

from models.shapes import AnyArray, FloatArray, Image, PcmArray

PACKET = 960
CLOCKS = {"video": 90_000, "audio": 48_000}


class SpeechMicrophone(MediaStreamTrack):  # type: ignore[misc]
    """Plays a wave [n] at 48 kHz again and again in real time; notes when each packet left."""

    kind = "audio"

    def __init__(self, wave: FloatArray) -> None:
        super().__init__()
        pcm = (np.clip(wave, -1, 1) * 32767).astype(np.int16)
        self.pcm: PcmArray = pcm[: len(pcm) // PACKET * PACKET]
        self.left_at: list[float] = []

    async def recv(self) -> AudioFrame:
        if self.left_at:
            due = self.left_at[0] + len(self.left_at) * PACKET / 48_000
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        start = len(self.left_at) * PACKET % len(self.pcm)
        frame = AudioFrame.from_ndarray(
            self.pcm[None, start : start + PACKET], format="s16", layout="mono"
        )
        frame.sample_rate, frame.time_base = 48_000, Fraction(1, 48_000)
        frame.pts = len(self.left_at) * PACKET
        self.left_at.append(time.monotonic())
        return frame


class MeasuredPeer:
    """Receives a session's face and sound while its microphone speaks."""

    def __init__(self, microphone: SpeechMicrophone) -> None:
        self.microphone = microphone
        self.pictures: list[tuple[int, Image]] = []  # (media ms since the first, RGB)
        self._sounds: list[AudioFrame] = []
        self._arrived: dict[str, dict[int, float]] = {"video": {}, "audio": {}}
        self._reports: dict[str, list[tuple[float, int]]] = {"video": [], "audio": []}
        self._tasks: list[asyncio.Task[None]] = []
        self._offered_at = 0.0
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._connection.on("track", self._take)
        self._connection.addTransceiver("video", direction="recvonly")
        self._connection.addTrack(microphone)
        for transceiver in self._connection.getTransceivers():
            self._listen(transceiver.kind, transceiver.receiver)

    async def connect(self, client: httpx.AsyncClient, url: str) -> None:
        """Offer and take the answer."""
        connection = self._connection
        await connection.setLocalDescription(await connection.createOffer())
        self._offered_at = time.monotonic()
        offer = {"sdp": connection.localDescription.sdp, "type": "offer"}
        answer = (await client.post(url, json=offer)).raise_for_status().json()
        await connection.setRemoteDescription(RTCSessionDescription(answer["sdp"], "answer"))

    async def close(self) -> None:
        """Hang up."""
        await self._connection.close()
        await asyncio.gather(*self._tasks)

    def sound(self) -> PcmArray:
        """Everything heard, left channel [n] at 48 kHz."""
        return np.concatenate([frame.to_ndarray().reshape(-1)[::2] for frame in self._sounds])

    def first_frame_ms(self) -> float:
        """From the offer to the first packet of the first picture."""
        return (min(self._arrived["video"].values()) - self._offered_at) * 1000

    def picture_gaps_ms(self) -> AnyArray:
        """Times between two pictures' first packets, the connection's first second left out."""
        times = np.sort(list(self._arrived["video"].values()))
        gaps: AnyArray = np.diff(times[times > times[0] + 1.0]) * 1000
        return gaps

    def av_gaps_ms(self) -> AnyArray:
        """How far a receiver that trusts the sender reports shows pictures behind their sound.

        A report ties a media time to a wall time; the two tracks' first packets carry the same
        media time, so the difference of the two ties is the gap.
        """
        ties: dict[str, AnyArray] = {}
        for kind, reports in self._reports.items():
            first = min(self._arrived[kind])
            ties[kind] = np.array([ntp - (ts - first) / CLOCKS[kind] for ntp, ts in reports])
        gaps: AnyArray = (ties["video"] - np.median(ties["audio"])) * 1000
        return gaps

    def mic_to_sound_ms(self) -> float:
        """From a microphone's packet leaving to the same sound arriving."""
        heard, said = self.sound().astype(np.float64), self.microphone.pcm.astype(np.float64)
        step = 48  # envelopes at 1 kHz
        heard_envelope, said_envelope = _envelope(heard, step), _envelope(said, step)
        window = heard_envelope[5000 : 5000 + len(said_envelope)]
        twice = np.concatenate([said_envelope, said_envelope])
        lags = np.correlate(twice - twice.mean(), window - window.mean(), "valid")
        said_ms = int(np.argmax(lags)) % len(said_envelope)  # where in the speech it begins
        arrived = self._arrival_of_sound(5000)
        period_ms = len(said_envelope)
        left = [
            self.microphone.left_at[0] + (said_ms + turn * period_ms) / 1000 for turn in range(99)
        ]
        latest = max(time_s for time_s in left if time_s < arrived)
        return (arrived - latest) * 1000

    def _arrival_of_sound(self, sound_ms: int) -> float:
        first = min(self._arrived["audio"])
        stamp = first + sound_ms * 48 // PACKET * PACKET
        return self._arrived["audio"][min(self._arrived["audio"], key=lambda t: abs(t - stamp))]

    def _take(self, track: MediaStreamTrack) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(self._read(track)))

    async def _read(self, track: MediaStreamTrack) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                if track.kind == "audio":
                    self._sounds.append(frame)
                else:
                    self.pictures.append((frame.pts // 90, frame.to_ndarray(format="rgb24")))

    def _listen(self, kind: str, receiver: RTCRtpReceiver) -> None:
        """aiortc has no hook for arrivals, so its two handlers are wrapped."""
        handle_rtp, handle_rtcp = receiver._handle_rtp_packet, receiver._handle_rtcp_packet

        async def rtp(packet: Any, arrival_time_ms: int) -> None:
            self._arrived[kind].setdefault(packet.timestamp, time.monotonic())
            await handle_rtp(packet, arrival_time_ms)

        async def rtcp(packet: Any) -> None:
            if isinstance(packet, RtcpSrPacket) and packet.sender_info.packet_count:
                info = packet.sender_info
                self._reports[kind].append((info.ntp_timestamp / 2**32, info.rtp_timestamp))
            await handle_rtcp(packet)

        receiver._handle_rtp_packet, receiver._handle_rtcp_packet = rtp, rtcp


def _envelope(wave: AnyArray, step: int) -> AnyArray:
    whole = wave[: len(wave) // step * step].reshape(-1, step)
    levels: AnyArray = np.log1p(np.sqrt(np.mean(whole**2, axis=1)))
    return levels
