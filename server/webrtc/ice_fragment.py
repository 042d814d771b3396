"""``application/trickle-ice-sdpfrag`` (RFC 8840): candidates after the offer, and ICE restarts."""

from dataclasses import dataclass, field

from aiortc import RTCIceCandidate
from aiortc.sdp import candidate_from_sdp, candidate_to_sdp

from server.webrtc.offers import MAX_CANDIDATES, MAX_SDP_CHARS, BadSdpError

_LINE_END = "\r\n"


@dataclass(slots=True)
class IceFragment:
    """What one PATCH brings. Without user name and password it belongs to the current ones."""

    username: str | None = None
    password: str | None = None
    candidates: list[RTCIceCandidate] = field(default_factory=list)
    complete: bool = False  # end-of-candidates


def parse_fragment(text: str) -> IceFragment:
    """Raises BadSdpError. Candidates that this server cannot use are left out, as RFC 9725 asks."""
    if len(text) > MAX_SDP_CHARS:
        raise BadSdpError(f"the fragment has {len(text)} characters; accepted: {MAX_SDP_CHARS}")
    if (given := text.count("a=candidate:")) > MAX_CANDIDATES:
        raise BadSdpError(f"the fragment has {given} candidates; accepted: {MAX_CANDIDATES}")
    fragment = IceFragment()
    mid: str | None = None
    for line in filter(None, text.splitlines()):
        name, separator, value = line.partition("=")
        if not separator or len(name) != 1:
            raise BadSdpError(f"the fragment has a line that is none of SDP: {line[:60]!r}")
        if name == "m":
            mid = None
        attribute, _, value = value.partition(":")
        match attribute if name == "a" else None:
            case "mid":
                mid = value
            case "ice-ufrag":
                fragment.username = value
            case "ice-pwd":
                fragment.password = value
            case "end-of-candidates":
                fragment.complete = True
            case "candidate":
                _add_candidate(fragment, value, mid)
    if (fragment.username is None) != (fragment.password is None):
        raise BadSdpError("a=ice-ufrag and a=ice-pwd belong together; the fragment has one of them")
    if fragment.username is None and not fragment.candidates and not fragment.complete:
        raise BadSdpError("the fragment has neither candidates nor a=ice-ufrag and a=ice-pwd")
    return fragment


def _add_candidate(fragment: IceFragment, value: str, mid: str | None) -> None:
    try:
        candidate = candidate_from_sdp(value)
    except Exception as error:  # the parser fails in as many ways as there are bad candidates
        raise BadSdpError(f"the fragment has a damaged candidate: {value[:100]!r}") from error
    if candidate.protocol.lower() != "udp":
        return
    candidate.sdpMid = mid
    candidate.sdpMLineIndex = 0 if mid is None else None  # without a section: the first one's
    fragment.candidates.append(candidate)


def fragment_text(
    username: str, password: str, kind: str, mid: str, candidates: list[RTCIceCandidate]
) -> str:
    """The answer to an ICE restart: the server's new names and all its candidates."""
    lines = [
        f"a=ice-ufrag:{username}",
        f"a=ice-pwd:{password}",
        f"m={kind} 9 UDP/TLS/RTP/SAVPF 0",
        f"a=mid:{mid}",
        *(f"a=candidate:{candidate_to_sdp(candidate)}" for candidate in candidates),
        "a=end-of-candidates",
    ]
    return "".join(line + _LINE_END for line in lines)
