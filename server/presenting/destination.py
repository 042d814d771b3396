"""Where a push may go. Nothing but what the operator lists can be reached through it.

The URL is taken apart, every part checked and a new one built for FFmpeg from the parts, so that
FFmpeg reads nothing that was not read here. RTMP and SRT get the address that was checked, not the
name, so that a name cannot mean another machine a moment later. RTMPS needs the name for its
certificate, which FFmpeg checks.
"""

import asyncio
import ipaddress
import re
import socket
from dataclasses import dataclass, field
from typing import Literal, get_args
from urllib.parse import parse_qsl, urlencode, urlsplit

from models.errors import VisavisError

Scheme = Literal["rtmp", "rtmps", "srt"]
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)
USUAL_PORTS: dict[str, int] = {"rtmp": 1935, "rtmps": 443}
SRT_OPTIONS = {"streamid", "passphrase", "pbkeylen", "latency"}
MAX_URL_CHARS = 2048
_PATH = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]+")


class BadPushUrlError(VisavisError):
    """The URL is none that can be pushed to."""

    code = "bad_push_url"


class PushNotAllowedError(VisavisError):
    """The operator does not let sessions be pushed there."""

    code = "push_not_allowed"


@dataclass(frozen=True, slots=True)
class Destination:
    """A checked URL's parts; what is secret in it (path, options) is not shown."""

    scheme: Scheme
    host: str
    port: int
    path: str = field(repr=False)  # of RTMP: application and stream key, with a slash before
    options: tuple[tuple[str, str], ...] = field(repr=False)  # of SRT

    @property
    def place(self) -> str:
        """Host and port, as the settings list them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def shown(self) -> str:
        """For answers and logs: without the stream key."""
        return f"{self.scheme}://{self.place}"

    def output_arguments(self, address: str) -> list[str]:
        """FFmpeg's, for what lies at ``address``: format, options and URL."""
        host = f"[{address}]" if ":" in address else address
        if self.scheme == "srt":
            query = urlencode([("mode", "caller"), *self.options])
            return ["-f", "mpegts", f"srt://{host}:{self.port}?{query}"]
        application, _, key = self.path[1:].rpartition("/")
        named = f"{self.scheme}://{self.place}"
        whole = named if self.scheme == "rtmps" else f"{self.scheme}://{host}:{self.port}"
        rtmp = ["-rtmp_tcurl", f"{named}/{application}", "-rtmp_app", application]
        return ["-f", "flv", *rtmp, "-rtmp_playpath", key, f"{whole}/{application}/{key}"]


def read_destination(url: str, allowed: list[str]) -> Destination:
    """Raises BadPushUrlError, PushNotAllowedError."""
    if len(url) > MAX_URL_CHARS or not url.isascii() or not url.isprintable() or " " in url:
        raise BadPushUrlError(f"url must be up to {MAX_URL_CHARS} printable ASCII characters")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError as error:
        raise BadPushUrlError(f"url cannot be read: {error}") from error
    scheme = next((known for known in SCHEMES if known == parts.scheme), None)
    if scheme is None:
        raise BadPushUrlError(f"url begins with {parts.scheme!r}; accepted: {', '.join(SCHEMES)}")
    port = port or USUAL_PORTS.get(scheme)
    if not host or not port or parts.fragment or parts.username is not None:
        raise BadPushUrlError("url must name host and port, and neither a user nor a fragment")
    if scheme == "srt":
        found = Destination(scheme, host, port, "", _srt_options(parts.path, parts.query))
    else:
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        found = Destination(scheme, host, port, _rtmp_path(path), ())
    if found.place not in allowed:
        raise PushNotAllowedError(
            f"this server does not push to {found.place}; its operator lists what it may push to"
        )
    return found


async def resolve(destination: Destination) -> str:
    """The address to connect to. Raises PushNotAllowedError for a name that means this machine or
    its link, BadPushUrlError for one that means nothing."""
    loop = asyncio.get_running_loop()
    kind = socket.SOCK_DGRAM if destination.scheme == "srt" else socket.SOCK_STREAM
    try:
        found = await loop.getaddrinfo(destination.host, destination.port, type=kind)
    except OSError as error:
        raise BadPushUrlError(f"{destination.host} has no address: {error}") from error
    address = str(found[0][4][0])
    if address != destination.host and not _public_enough(address):
        raise PushNotAllowedError(
            f"{destination.host} leads to {address}, which is allowed only when it is listed itself"
        )
    return address


def _public_enough(address: str) -> bool:
    """Private networks are fine: the operator has listed the name."""
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    found = mapped or found
    return not (
        found.is_loopback or found.is_link_local or found.is_multicast or found.is_unspecified
    )


def _rtmp_path(path: str) -> str:
    if not _PATH.fullmatch(path) or "/" not in path[1:].partition("?")[0].strip("/"):
        raise BadPushUrlError("an RTMP url ends with /APPLICATION/STREAM_KEY")
    return path


def _srt_options(path: str, query: str) -> tuple[tuple[str, str], ...]:
    if path not in ("", "/"):
        raise BadPushUrlError("an SRT url has no path; the stream's name is ?streamid=")
    try:
        options = parse_qsl(query, strict_parsing=True) if query else []
    except ValueError as error:
        raise BadPushUrlError(f"the url's options cannot be read: {error}") from error
    for name, value in options:
        if name not in SRT_OPTIONS or not value.isprintable():
            accepted = ", ".join(sorted(SRT_OPTIONS))
            raise BadPushUrlError(f"an SRT url cannot have {name!r} here; accepted: {accepted}")
    return tuple(options)
