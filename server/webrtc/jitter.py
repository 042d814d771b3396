"""A microphone's packets in their order, each as soon as it can be heard.

aiortc's own buffer lets four packets gather before it gives out the first, and a lost one holds up
the following sixteen. The session's elastic margin (server/voice/session_voice.py) takes up
jitter already, so here nothing waits but what arrived before its turn.
"""

from collections.abc import Callable

from aiortc import RTCRtpReceiver
from aiortc.jitterbuffer import JitterFrame
from aiortc.rtp import RtpPacket
from aiortc.utils import uint16_add

HELD_PACKETS = 2  # that wait for one before them; with one more it counts as lost
_NEW_STREAM_PACKETS = 100  # a jump so far, forwards or back, is a sender that began anew


class PromptPackets:
    """In place of aiortc's JitterBuffer, for codecs whose every packet is a frame of its own.

    ``release`` gets the packets that ``add`` sets free before the one that it returns.
    """

    def __init__(self, release: Callable[[RtpPacket], None]) -> None:
        self._release = release
        self._next: int | None = None  # the sequence number whose turn it is
        self._held: dict[int, RtpPacket] = {}

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]:
        """A packet has arrived: never a request for a key frame, and the frame to decode now."""
        number = packet.sequence_number
        if self._next is None or not self._is_near(number):
            self._next = number
            self._held.clear()
        if not self._comes_now_or_later(number):
            return False, None  # too late, or twice
        self._held[number] = packet
        free = self._take_free()
        for earlier in free[:-1]:
            self._release(earlier)
        return False, frame_of(free[-1]) if free else None

    def _take_free(self) -> list[RtpPacket]:
        """The packets whose turn has come, in their order."""
        assert self._next is not None
        if len(self._held) > HELD_PACKETS and self._next not in self._held:
            start = self._next
            self._next = min(self._held, key=lambda number: uint16_add(number, -start))
        free = []
        while self._next in self._held:
            free.append(self._held.pop(self._next))
            self._next = uint16_add(self._next, 1)
        return free

    def _is_near(self, number: int) -> bool:
        assert self._next is not None
        ahead = int(uint16_add(number, -self._next))
        return min(ahead, 0x10000 - ahead) < _NEW_STREAM_PACKETS

    def _comes_now_or_later(self, number: int) -> bool:
        assert self._next is not None
        return int(uint16_add(number, -self._next)) < _NEW_STREAM_PACKETS


def frame_of(packet: RtpPacket) -> JitterFrame:
    """What the decoder takes: the payload without its codec's header, at the sender's time."""
    return JitterFrame(packet._data, packet.timestamp)


def receive_promptly(receiver: RTCRtpReceiver) -> None:
    """Give an audio receiver that has not started this buffer in place of its own."""
    codecs = receiver._RTCRtpReceiver__codecs
    times = receiver._RTCRtpReceiver__timestamp_mapper
    decoding = receiver._RTCRtpReceiver__decoder_queue

    def decode(packet: RtpPacket) -> None:
        frame = frame_of(packet)
        frame.timestamp = times.map(frame.timestamp)
        decoding.put((codecs[packet.payload_type], frame))

    # its constructor offers no choice; tests/test_server_jitter.py notices when this name goes
    receiver._RTCRtpReceiver__jitter_buffer = PromptPackets(decode)
