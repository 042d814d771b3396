"""What a client's session description asks for, checked before a connection is made of it."""

import re
from dataclasses import dataclass

from aiortc.sdp import MediaDescription, SessionDescription

from models.errors import VisavisError

MAX_SDP_CHARS = 200_000
MAX_SECTIONS = 16
MAX_CANDIDATES = 128  # each one is an address that the server sends packets to
_LINE_END = "\r\n"


class BadSdpError(VisavisError):
    """The session description is none, or lacks what a connection needs."""

    code = "bad_sdp"


class NotAcceptableError(VisavisError):
    """A proper offer without anything that this server could send or take."""

    code = "not_acceptable"


def check_watching(offer_sdp: str) -> None:
    """An offer to receive the picture. Raises BadSdpError, NotAcceptableError."""
    if not any(
        section.kind == "video" and section.direction in ("recvonly", "sendrecv")
        for section in _sections(offer_sdp)
    ):
        raise NotAcceptableError("the offer must have a video section that wants to receive")


@dataclass(frozen=True, slots=True)
class VoiceOffer:
    """An offer reduced to its voice; the other sections wait for their refusal.

    Whoever sends a picture with the voice (FFmpeg, OBS) is to lose only the picture, whatever
    its codec is.
    """

    sdp: str
    refused: dict[int, str]  # place among the sections -> the refusing section

    def answer_all(self, answer_sdp: str) -> str:
        """The answer to the voice, completed by the refusals."""
        session, sections = _split(answer_sdp)
        for place in sorted(self.refused):
            sections.insert(place, self.refused[place])
        return session + "".join(sections)


def voice_of(offer_sdp: str) -> VoiceOffer:
    """The first audio section that sends. Raises BadSdpError, NotAcceptableError."""
    parsed = _sections(offer_sdp)
    voice = next(
        (
            place
            for place, section in enumerate(parsed)
            if section.kind == "audio" and section.direction in ("sendonly", "sendrecv")
        ),
        None,
    )
    if voice is None:
        raise NotAcceptableError("the offer must have an audio section that wants to send")
    session, sections = _split(offer_sdp)
    group = f"a=group:BUNDLE {parsed[voice].rtp.muxId}"
    return VoiceOffer(
        re.sub(r"(?m)^a=group:BUNDLE[^\r\n]*", group, session) + sections[voice],
        {place: _refusal(section) for place, section in enumerate(sections) if place != voice},
    )


def _split(sdp: str) -> tuple[str, list[str]]:
    """The session's lines, and those of each section."""
    session, *sections = re.split(r"(?m)^(?=m=)", sdp)
    return session, sections


def _refusal(section: str) -> str:
    """RFC 3264: the same section with port 0."""
    kind, _, profile, formats = section.splitlines()[0].split(" ", 3)
    mid = re.search(r"(?m)^a=mid:[^\r\n]*", section)
    lines = [f"{kind} 0 {profile} {formats}", "c=IN IP4 0.0.0.0", "a=inactive"]
    return "".join(line + _LINE_END for line in [*lines, *([mid.group()] if mid else [])])


def _sections(sdp: str) -> list[MediaDescription]:
    if len(sdp) > MAX_SDP_CHARS:
        raise BadSdpError(f"the offer has {len(sdp)} characters; accepted: {MAX_SDP_CHARS}")
    if not sdp.startswith("v=0"):
        raise BadSdpError("the offer is no session description: it does not begin with v=0")
    for what, line, most in (
        ("media sections", "\nm=", MAX_SECTIONS),
        ("candidates", "\na=candidate:", MAX_CANDIDATES),
    ):
        if (given := sdp.count(line)) > most:
            raise BadSdpError(f"the offer has {given} {what}; accepted: {most}")
    try:
        sections: list[MediaDescription] = SessionDescription.parse(sdp).media
    except Exception as error:  # the parser fails in as many ways as there are bad offers
        raise BadSdpError(f"the offer is a damaged session description: {error}") from error
    if not sections:
        raise BadSdpError("the offer has no media section (m=)")
    for section in sections:
        _check_transport(section)
    return sections


def _check_transport(section: MediaDescription) -> None:
    if not section.ice.usernameFragment or not section.ice.password:
        raise BadSdpError(f"the {section.kind} section has no a=ice-ufrag and a=ice-pwd")
    if section.dtls is None or not section.dtls.fingerprints:
        raise BadSdpError(f"the {section.kind} section has no a=fingerprint and a=setup")
    if section.kind in ("audio", "video") and not section.rtcp_mux:
        raise BadSdpError(f"the {section.kind} section has no a=rtcp-mux")
