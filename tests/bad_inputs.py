"""The table of bad inputs in server/README.md: what is sent, and what must come back.

Every row is one call to a running server; ``send`` gets a client with a key and a session's id.
"""

import base64
import io
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
import soundfile
from PIL import Image as Pillow

from tests.test_models_images import encoded, half_red, header_only_png, with_scans
from tests.test_models_sound_files import claiming, flac
from tests.test_server_api import BARE_OFFER, png
from tests.test_server_engine_worker import dark_png

Send = Callable[[httpx.AsyncClient, str], Awaitable[httpx.Response]]
JSON = {"Content-Type": "application/json"}
SDP = {"Content-Type": "application/sdp"}


@dataclass(frozen=True)
class BadInput:
    """A row. ``what`` is the test's id."""

    what: str
    status: int
    code: str
    send: Send


def get(path: str, **headers: str) -> Send:
    async def send(client: httpx.AsyncClient, session_id: str) -> httpx.Response:
        return await client.get(path.format(session_id), headers=headers)

    return send


def start(content: str | bytes) -> Send:
    async def send(client: httpx.AsyncClient, _: str) -> httpx.Response:
        return await client.post("/v1/sessions", content=content, headers=JSON)

    return send


def start_with(**fields: Any) -> Send:
    async def send(client: httpx.AsyncClient, _: str) -> httpx.Response:
        return await client.post("/v1/sessions", json={"avatar_id": "anna"} | fields)

    return send


def portrait(image: bytes, name: str = "me.jpg", kind: str = "image/jpeg") -> Send:
    async def send(client: httpx.AsyncClient, _: str) -> httpx.Response:
        return await client.post("/v1/avatars", files={"image": (name, image, kind)})

    return send


def form(**parts: Any) -> Send:
    async def send(client: httpx.AsyncClient, _: str) -> httpx.Response:
        return await client.post("/v1/avatars", **parts)

    return send


def speech(sound: bytes) -> Send:
    async def send(client: httpx.AsyncClient, session_id: str) -> httpx.Response:
        files = {"audio": ("hello.wav", sound, "audio/wav")}
        return await client.post(f"/v1/sessions/{session_id}/speech", files=files)

    return send


def offer(sdp: str) -> Send:
    async def send(client: httpx.AsyncClient, session_id: str) -> httpx.Response:
        body = {"sdp": sdp, "type": "offer"}
        return await client.post(f"/v1/sessions/{session_id}/offer", json=body)

    return send


def whep(content: bytes, headers: dict[str, str] = SDP) -> Send:
    async def send(client: httpx.AsyncClient, session_id: str) -> httpx.Response:
        path = f"/v1/sessions/{session_id}/whep"
        return await client.post(path, content=content, headers=headers)

    return send


async def with_another_token(client: httpx.AsyncClient, session_id: str) -> httpx.Response:
    other = (await client.post("/v1/sessions", json={"avatar_id": "anna"})).json()
    headers = {"Authorization": f"Bearer {other['token']}"}
    answer = await client.get(f"/v1/sessions/{session_id}", headers=headers)
    await client.delete(f"/v1/sessions/{other['id']}")
    return answer


async def after_the_end(client: httpx.AsyncClient, _: str) -> httpx.Response:
    ended = (await client.post("/v1/sessions", json={"avatar_id": "anna"})).json()
    await client.delete(f"/v1/sessions/{ended['id']}")
    headers = {"Authorization": f"Bearer {ended['token']}"}
    return await client.get(f"/v1/sessions/{ended['id']}", headers=headers)


async def put(client: httpx.AsyncClient, _: str) -> httpx.Response:
    return await client.put("/v1/avatars")


async def endless(client: httpx.AsyncClient, _: str) -> httpx.Response:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield b"x" * 65_536

    return await client.post("/v1/sessions", content=body())


def noisy_wav() -> bytes:
    file = io.BytesIO()
    samples = np.full(1000, np.nan, np.float32)
    soundfile.write(file, samples, 16_000, format="WAV", subtype="FLOAT")
    return file.getvalue()


def wide_wav() -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.zeros((100, 1000), np.int16), 16_000, format="WAV")
    return file.getvalue()


def wordy_png() -> bytes:
    """Its comment is 8 MB of zeros, packed into 8 KB."""
    body = b"zTXtComment\0\0" + zlib.compress(bytes(8 << 20), 9)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    plain = encoded(half_red(), "PNG")
    return plain[:33] + chunk + plain[33:]


def start_behind(image: bytes) -> Send:
    shown = base64.b64encode(image).decode()
    return start_with(output={"background": {"type": "picture", "image": shown}})


GIF = encoded(half_red(), "GIF")
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HTML = b"<!doctype html><script>alert(1)</script>"
SVG_UPLOAD = portrait(SVG, "me.svg", "image/svg+xml")
HTML_UPLOAD = portrait(HTML, "me.png", "image/png")
WIDE = encoded(Pillow.new("RGB", (5000, 10)), "PNG")
LONG = claiming(flac(1), samples=10 * 3600 * 8_000)
HLS = b"#EXTM3U\n#EXTINF:9,\nhttp://127.0.0.1:1/a.ts\n#EXT-X-ENDLIST\n"
DEEP = b"[" * 100_000 + b"]" * 100_000
SECTION = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=recvonly\r\n"
CANDIDATE = "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n"

CALLS = [
    BadInput("no key", 401, "unauthorized", get("/v1/server", Authorization="")),
    BadInput("a wrong key", 401, "unauthorized", get("/v1/server", Authorization="Bearer x")),
    BadInput("another session's token", 401, "unauthorized", with_another_token),
    BadInput("the token of a session that has ended", 401, "unauthorized", after_the_end),
    BadInput(
        "a page of another origin",
        403,
        "forbidden_origin",
        get("/v1/server", Origin="https://evil.example"),
    ),
    BadInput("an address with a zero character", 400, "bad_request", get("/v1/avatars/a%00b")),
    BadInput("a path that climbs out", 404, "not_found", get("/%2e%2e/%2e%2e/pyproject.toml")),
    BadInput("an id that climbs out", 404, "not_found", get("/v1/avatars/%2e%2e%2fanna/image")),
    BadInput("a file that the page was made with", 404, "not_found", get("/package.json")),
    BadInput("a session that is not there", 404, "not_found", get("/v1/sessions/s_0")),
    BadInput("a method that is not there", 405, "method_not_allowed", put),
    BadInput("a body that says it is too large", 413, "too_large", start(b"x" * 9_000_000)),
    BadInput("a body that goes on and on", 413, "too_large", endless),
    BadInput("JSON that is none", 422, "invalid_request", start("{")),
    BadInput("JSON a hundred thousand levels deep", 400, "bad_request", start(DEEP)),
    BadInput(
        "NaN for a level",
        422,
        "invalid_request",
        start('{"avatar_id": "anna", "motion": {"head": NaN}}'),
    ),
    BadInput(
        "infinity for a duration",
        422,
        "invalid_request",
        start('{"avatar_id": "anna", "max_duration_s": 1e999}'),
    ),
    BadInput(
        "a number of five thousand digits",
        400,
        "bad_request",
        start('{"avatar_id": "anna", "seed": ' + "9" * 5000 + "}"),
    ),
    BadInput(
        "half a character in a field's name",
        422,
        "invalid_request",
        start('{"avatar_id": "anna", "\\ud800": 1}'),
    ),
    BadInput("a zero character in an id", 404, "not_found", start('{"avatar_id": "a\\u0000"}')),
    BadInput("an unknown field", 422, "invalid_request", start_with(colour="red")),
    BadInput(
        "a longer session than allowed", 422, "invalid_request", start_with(max_duration_s=9e9)
    ),
    BadInput("a form without its file", 422, "invalid_request", form(data={"name": "x"})),
    BadInput("text where a file belongs", 422, "invalid_request", form(data={"image": "x"})),
    BadInput(
        "a form of 1100 fields",
        400,
        "bad_request",
        form(files=[(f"f{i}", (None, b"x")) for i in range(1100)]),
    ),
    BadInput(
        "a form without its boundary",
        400,
        "bad_request",
        form(content=b"x", headers={"Content-Type": "multipart/form-data"}),
    ),
    BadInput("a portrait that is text", 422, "not_an_image", portrait(b"hello")),
    BadInput("a portrait that is empty", 422, "not_an_image", portrait(b"")),
    BadInput("half a PNG", 422, "not_an_image", portrait(png(500, 500)[:600])),
    BadInput("a GIF that says it is a JPEG", 422, "not_an_image", portrait(GIF)),
    BadInput("an SVG with a script", 422, "not_an_image", SVG_UPLOAD),
    BadInput("HTML that says it is a PNG", 422, "not_an_image", HTML_UPLOAD),
    BadInput("a PNG whose comment unpacks to 8 MB", 422, "not_an_image", portrait(wordy_png())),
    BadInput(
        "a hundred bytes that claim 60000x60000 pixels",
        413,
        "too_large",
        portrait(header_only_png(60_000, 60_000)),
    ),
    BadInput("a JPEG of 33 scans", 413, "too_large", portrait(with_scans(33))),
    BadInput("a portrait of 11 MB", 413, "too_large", portrait(b"\xff" * (11 << 20))),
    BadInput("a portrait without a face", 422, "no_face", portrait(dark_png())),
    BadInput(
        "a background that is not base64",
        422,
        "bad_output",
        start_with(output={"background": {"type": "picture", "image": "%%%"}}),
    ),
    BadInput(
        "a background that is no picture",
        422,
        "bad_output",
        start_behind(HTML),
    ),
    BadInput("a background 5000 pixels wide", 422, "bad_output", start_behind(WIDE)),
    BadInput(
        "a colour that is none",
        422,
        "bad_output",
        start_with(output={"background": {"type": "colour", "colour": "url(x)"}}),
    ),
    BadInput("a sound that is empty", 422, "bad_audio", speech(b"")),
    BadInput("a sound that is HTML", 422, "bad_audio", speech(HTML)),
    BadInput("a FLAC that claims ten hours", 422, "bad_audio", speech(LONG)),
    BadInput("a sound of a thousand channels", 422, "bad_audio", speech(wide_wav())),
    BadInput("a sound whose samples are no numbers", 422, "bad_audio", speech(noisy_wav())),
    BadInput("a playlist that names an address", 422, "bad_audio", speech(HLS)),
    BadInput("an offer that is text", 422, "bad_sdp", offer("hello")),
    BadInput("an offer without ICE names", 422, "bad_sdp", offer(BARE_OFFER)),
    BadInput("an offer of 17 sections", 422, "bad_sdp", offer("v=0\r\n" + SECTION * 17)),
    BadInput("an offer of 129 candidates", 422, "bad_sdp", offer(BARE_OFFER + CANDIDATE * 129)),
    BadInput("an offer of 300000 characters", 422, "bad_sdp", offer("v=0\r\n" + "a" * 300_000)),
    BadInput("an offer that is not UTF-8", 422, "bad_sdp", whep(b"v=0\r\n\xff\xfe")),
    BadInput(
        "an offer of another media type", 415, "unsupported_media_type", whep(b"v=0\r\n", JSON)
    ),
]


@dataclass(frozen=True)
class BadEvent:
    """A row: one frame, answered by an ``error`` event or by the socket's end."""

    what: str
    answer: str  # an error's code, or "closed NUMBER"
    frames: list[str | bytes]


EVENTS = [
    BadEvent("a text frame that is no JSON", "invalid_event", ["{"]),
    BadEvent("a text frame that is no object", "invalid_event", ["[]"]),
    BadEvent("an event a hundred thousand levels deep", "invalid_event", ["[" * 100_000]),
    BadEvent("an event of an unknown type", "invalid_event", ['{"type": "dance"}']),
    BadEvent("an event with an unknown field", "invalid_event", ['{"type": "ping", "loud": true}']),
    BadEvent(
        "NaN for a level in an event", "invalid_event", ['{"type": "motion.update", "head": NaN}']
    ),
    BadEvent("voice before speech.start", "invalid_event", [b"\0\0"]),
    BadEvent(
        "voice that is not base64",
        "invalid_event",
        [
            '{"type": "speech.start", "sample_rate": 16000}',
            '{"type": "speech.append", "audio": "%"}',
        ],
    ),
    BadEvent(
        "a sample rate of 1 Hz", "invalid_event", ['{"type": "speech.start", "sample_rate": 1}']
    ),
    BadEvent("ten bad events in a row", "closed 1008", ["{"] * 10),
    BadEvent("a frame of two megabytes", "closed 1009", [bytes(2 << 20)]),
]
