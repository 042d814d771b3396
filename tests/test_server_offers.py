"""Offers reduced to their voice, and fragments of trickle ICE."""

import pytest

from server.webrtc.ice_fragment import fragment_text, parse_fragment
from server.webrtc.offers import BadSdpError, NotAcceptableError, check_watching, voice_of

SESSION = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n"
TRANSPORT = (
    "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n"
    "a=fingerprint:sha-256 AA:BB\r\na=setup:passive\r\na=rtcp-mux\r\n"
)
VIDEO = (
    "m=video 9 UDP/TLS/RTP/SAVPF 106\r\na=mid:0\r\na=sendonly\r\na=rtpmap:106 H265/90000\r\n"
    + TRANSPORT
)
AUDIO = (
    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:1\r\na=sendonly\r\na=rtpmap:111 opus/48000/2\r\n"
    + TRANSPORT
)
CANDIDATE = "a=candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag abcd"


def test_a_voice_is_taken_out_of_its_offer_and_the_rest_refused_in_its_place() -> None:
    voice = voice_of(SESSION + VIDEO + AUDIO)
    assert voice.sdp == SESSION.replace("BUNDLE 0 1", "BUNDLE 1") + AUDIO
    answer = "v=0\r\nt=0 0\r\na=group:BUNDLE 1\r\nm=audio 5 UDP/TLS/RTP/SAVPF 111\r\na=mid:1\r\n"
    assert voice.answer_all(answer) == (
        "v=0\r\nt=0 0\r\na=group:BUNDLE 1\r\n"
        "m=video 0 UDP/TLS/RTP/SAVPF 106\r\nc=IN IP4 0.0.0.0\r\na=inactive\r\na=mid:0\r\n"
        "m=audio 5 UDP/TLS/RTP/SAVPF 111\r\na=mid:1\r\n"
    )


def test_an_offer_without_a_voice() -> None:
    with pytest.raises(NotAcceptableError, match="audio section that wants to send"):
        voice_of(SESSION + VIDEO)
    with pytest.raises(NotAcceptableError, match="video section that wants to receive"):
        check_watching(SESSION + VIDEO + AUDIO)


@pytest.mark.parametrize("missing", ["a=ice-pwd", "a=fingerprint", "a=setup", "a=rtcp-mux"])
def test_an_offer_that_lacks_what_a_connection_needs(missing: str) -> None:
    lines = [line for line in AUDIO.splitlines() if not line.startswith(missing)]
    with pytest.raises(BadSdpError, match=missing.replace("a=setup", "a=fingerprint")):
        voice_of(SESSION + "\r\n".join([*lines, ""]))


def test_a_fragment_is_read() -> None:
    fragment = parse_fragment(
        "a=ice-ufrag:abcd\r\na=ice-pwd:secret\r\na=group:BUNDLE 0 1\r\n"
        f"m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n{CANDIDATE}\r\n"
        "a=candidate:2 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active\r\n"
        "a=end-of-candidates\r\n"
    )
    assert (fragment.username, fragment.password, fragment.complete) == ("abcd", "secret", True)
    [candidate] = fragment.candidates  # the one over TCP is left out
    assert (candidate.ip, candidate.port, candidate.sdpMid) == ("192.0.2.1", 61764, "0")


def test_a_fragment_of_candidates_alone_belongs_to_the_first_section() -> None:
    [candidate] = parse_fragment(CANDIDATE).candidates
    assert (candidate.sdpMid, candidate.sdpMLineIndex) == (None, 0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "candidate:1",
        "a=candidate:oops",
        "a=ice-ufrag:abcd",
        "m=audio 9 X 0",
        "a" * 300_000,
    ],
)
def test_fragments_that_are_none(text: str) -> None:
    with pytest.raises(BadSdpError):
        parse_fragment(text)


def test_a_restart_is_answered_with_a_fragment() -> None:
    candidates = parse_fragment(CANDIDATE).candidates
    read = parse_fragment(fragment_text("efgh", "word", "video", "0", candidates))
    assert (read.username, read.password, read.complete) == ("efgh", "word", True)
    assert [(each.ip, each.sdpMid) for each in read.candidates] == [("192.0.2.1", "0")]
