"""What a receiver's estimates mean for the bit rate: REMB packets as they come over RTCP."""

from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    RtcpPsfbPacket,
    pack_remb_fci,
)
from av import Packet

from server.webrtc.bandwidth import CALM_REPORTS, ReceiverLimit
from server.webrtc.feedback import note_feedback
from server.webrtc.tracks import VideoTrack


def after_a_second_at(bit_s: int) -> ReceiverLimit:
    limit = ReceiverLimit()
    for _ in range(25):
        limit.sent(bit_s // 25 // 8)
    return limit


def test_a_small_estimate_of_a_small_stream_is_no_limit() -> None:
    limit = after_a_second_at(200_000)
    limit.report(300_000)
    assert limit.bit_s is None


def test_less_than_was_sent_is_a_congestion() -> None:
    limit = after_a_second_at(1_000_000)
    limit.report(600_000)
    assert limit.bit_s == 600_000


def test_the_limit_follows_rising_estimates_and_ends_in_calm() -> None:
    limit = after_a_second_at(1_000_000)
    limit.report(300_000)
    for _ in range(25):
        limit.sent(300_000 // 25 // 8)
    limit.report(400_000)
    assert limit.bit_s == 400_000
    limit.report(390_000)  # still more than is sent
    assert limit.bit_s == 400_000
    for _ in range(CALM_REPORTS):
        limit.report(450_000)
    assert limit.bit_s is None


def test_before_a_second_has_been_sent_nothing_is_concluded() -> None:
    limit = ReceiverLimit()
    limit.sent(50_000)  # a key frame
    limit.report(200_000)
    assert limit.bit_s is None


def test_rtcp_reaches_the_track() -> None:
    track = VideoTrack(lambda: None)
    for _ in range(25):
        key = Packet(bytes(5000))
        key.is_keyframe = True
        track.take(key)
    remb = pack_remb_fci(400_000, [7])
    note_feedback(RtcpPsfbPacket(RTCP_PSFB_APP, 1, 0, remb), track)
    assert track.limit_bit_s is not None
    assert abs(track.limit_bit_s - 400_000) < 4000  # REMB has a short mantissa
    note_feedback(RtcpPsfbPacket(RTCP_PSFB_APP, 1, 0, b"other"), track)
    for kind in (RTCP_PSFB_PLI, RTCP_PSFB_FIR):
        track.wants_key_frame = False
        note_feedback(RtcpPsfbPacket(kind, 1, 7), track)
        assert track.wants_key_frame
