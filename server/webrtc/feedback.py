"""What the receiver says about a connection's pictures: codec agreed to, key frames, bandwidth."""

from aiortc import RTCPeerConnection
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    AnyRtcpPacket,
    RtcpPsfbPacket,
    unpack_remb_fci,
)
from aiortc.sdp import SessionDescription

from server.webrtc.tracks import AudioTrack, VideoTrack


def note_codecs(answer_sdp: str, video: VideoTrack, audio: AudioTrack) -> None:
    """Take the first codec of each section: the client's first that this server has, too."""
    for media in SessionDescription.parse(answer_sdp).media:
        if not media.rtp.codecs:
            continue
        name = media.rtp.codecs[0].name.upper()
        if media.kind == "audio":
            audio.takes_opus = name == "OPUS"
        elif name == "H264":
            video.codec = "H264"
        else:
            video.codec = "VP8"


def follow_feedback(connection: RTCPeerConnection, track: VideoTrack) -> None:
    """From now on ``track`` knows what its receiver asks for and can take.

    aiortc's sender keeps these for an encoder of its own, which stands idle here.
    """
    (sender,) = (sender for sender in connection.getSenders() if sender.track is track)
    usual = sender._handle_rtcp_packet

    async def handle(packet: AnyRtcpPacket) -> None:
        note_feedback(packet, track)
        await usual(packet)

    sender._handle_rtcp_packet = handle


def note_feedback(packet: AnyRtcpPacket, track: VideoTrack) -> None:
    """One RTCP packet that is about this track."""
    if not isinstance(packet, RtcpPsfbPacket):
        return
    if packet.fmt in (RTCP_PSFB_PLI, RTCP_PSFB_FIR):
        track.wants_key_frame = True
    elif packet.fmt == RTCP_PSFB_APP:
        try:
            estimate_bit_s, _ = unpack_remb_fci(packet.fci)
        except ValueError:
            return  # another application's message
        track.limit.report(estimate_bit_s)
