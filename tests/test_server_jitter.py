"""Packets of a microphone that come late, twice, in the wrong order or not at all."""

import asyncio
from fractions import Fraction

import numpy as np
import pytest
from aiortc import MediaStreamTrack, RTCPeerConnection
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtp import RtpPacket
from av import AudioFrame

from server.webrtc.jitter import HELD_PACKETS, PromptPackets, receive_promptly
from server.webrtc.microphone import MicrophoneConverter


def packet(number: int) -> RtpPacket:
    made = RtpPacket(sequence_number=number % 0x10000, timestamp=number * 960)
    made._data = bytes([number % 256])
    return made


def heard(numbers: list[int]) -> list[list[int]]:
    """What each arriving packet sets free, by timestamp."""
    released: list[int] = []
    buffer = PromptPackets(lambda earlier: released.append(earlier.timestamp // 960))
    answers = []
    for number in numbers:
        _, frame = buffer.add(packet(number))
        answers.append([*released, *([frame.timestamp // 960] if frame else [])])
        released.clear()
    return answers


def test_packets_in_order_wait_for_nothing() -> None:
    assert heard([7, 8, 9]) == [[7], [8], [9]]


@pytest.mark.parametrize("start", [10, 0xFFFE])  # and around the end of the numbers
def test_a_packet_overtaken_by_two_is_put_in_its_place(start: int) -> None:
    order = [start, start + 2, start + 3, start + 1, start + 4]
    assert heard(order) == [[start], [], [], [start + 1, start + 2, start + 3], [start + 4]]


def test_a_lost_packet_holds_up_as_few_as_stated() -> None:
    answers = heard([1, 3, 4, 5, 6])
    assert HELD_PACKETS == 2
    assert answers == [[1], [], [], [3, 4, 5], [6]]


def test_packets_too_late_and_packets_sent_twice_are_left_out() -> None:
    assert heard([1, 2, 2, 1, 3]) == [[1], [2], [], [], [3]]


def test_a_sender_that_begins_anew_is_heard_at_once() -> None:
    assert heard([100, 101, 40_000, 40_001, 5]) == [[100], [101], [40_000], [40_001], [5]]


PACKETS = 3  # fewer than aiortc's own buffer gathers before it gives out the first


class ShortTone(MediaStreamTrack):  # type: ignore[misc]
    """A few packets once ``heard_from`` is set, and then nothing more."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.heard_from = asyncio.Event()
        self.sent = 0

    async def recv(self) -> AudioFrame:
        await self.heard_from.wait()
        if self.sent == PACKETS:
            await asyncio.Event().wait()
        samples = (8000 * np.sin(np.arange(960) / 10)).astype(np.int16)
        frame = AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate, frame.time_base = 48_000, Fraction(1, 48_000)
        frame.pts = self.sent * 960
        self.sent += 1
        return frame


async def test_a_real_receiver_decodes_what_it_gets_without_gathering_packets_first() -> None:
    sender, receiver = RTCPeerConnection(), RTCPeerConnection()
    tone = ShortTone()
    arrived: list[int] = []
    tasks: list[asyncio.Task[None]] = []

    async def listen(track: MediaStreamTrack) -> None:
        while len(arrived) < PACKETS:
            arrived.append((await track.recv()).samples)

    def taken(track: MediaStreamTrack) -> None:
        (found,) = [t.receiver for t in receiver.getTransceivers() if t.receiver.track is track]
        assert isinstance(found._RTCRtpReceiver__jitter_buffer, JitterBuffer)
        receive_promptly(found)
        tasks.append(asyncio.get_running_loop().create_task(listen(track)))

    receiver.on("track", taken)
    sender.addTrack(tone)
    await sender.setLocalDescription(await sender.createOffer())
    await receiver.setRemoteDescription(sender.localDescription)
    await receiver.setLocalDescription(await receiver.createAnswer())
    await sender.setRemoteDescription(receiver.localDescription)
    while "connected" not in {receiver.connectionState} & {sender.connectionState}:
        await asyncio.sleep(0.01)
    tone.heard_from.set()
    async with asyncio.timeout(20):
        await asyncio.gather(*tasks)
    assert arrived == [960] * PACKETS
    await sender.close()
    await receiver.close()


def voice_frame(pts: int, level: int) -> AudioFrame:
    frame = AudioFrame.from_ndarray(np.full((1, 960), level, np.int16), "s16", "mono")
    frame.sample_rate, frame.time_base, frame.pts = 48_000, Fraction(1, 48_000), pts
    return frame


def test_what_was_lost_is_silence_of_the_same_length() -> None:
    converter = MicrophoneConverter()
    voice = [converter.push(voice_frame(pts, 500)) for pts in (0, 960, 2880)]
    assert [len(part) for part in voice] == [960, 960, 1920]
    assert not voice[2][:960].any()
    assert (voice[2][960:] == 500).all()


def test_a_long_gap_or_a_clock_that_jumps_back_is_no_silence_to_fill() -> None:
    converter = MicrophoneConverter()
    lengths = [len(converter.push(voice_frame(pts, 500))) for pts in (0, 960_000, 960)]
    assert lengths == [960, 960, 960]
