"""Clients that send a letter now and then: they are let go, and nobody else notices."""

import asyncio
from typing import Any

import pytest
from starlette.responses import PlainTextResponse

from server.api import body_limit, http_limits
from server.api.body_limit import GRACE_S, SLOWEST_BYTES_PER_S, BodyLimit
from server.config.settings import Limits
from tests.server_fixtures import KEY, FakeServer

SHORT_S = 0.3


async def connected(server: FakeServer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = server.url.removeprefix("http://").partition(":")
    return await asyncio.open_connection(host, int(port))


@pytest.fixture
def _short_heads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_limits, "HEAD_S", SHORT_S)


@pytest.mark.usefixtures("_short_heads")
@pytest.mark.parametrize("begun", [b"", b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: "])
async def test_a_head_that_trickles_in_ends_the_connection(
    fake_server: FakeServer, begun: bytes
) -> None:
    reader, writer = await connected(fake_server)
    writer.write(begun)
    async with asyncio.timeout(20):
        assert await reader.read() == b""
    writer.close()


@pytest.mark.usefixtures("_short_heads")
async def test_the_second_head_on_a_connection_is_awaited_no_longer(
    fake_server: FakeServer,
) -> None:
    reader, writer = await connected(fake_server)
    request = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
    async with asyncio.timeout(20):
        for _ in range(3):
            writer.write(request)
            assert b"200" in await reader.readuntil(b"alive")
            await reader.readuntil(b"}")
        writer.write(request[:20])
        assert await reader.read() == b""
    writer.close()


async def test_a_head_that_is_too_long_is_refused(fake_server: FakeServer) -> None:
    reader, writer = await connected(fake_server)
    writer.write(b"GET /livez HTTP/1.1\r\nX: " + b"x" * (2 * http_limits.HEAD_BYTES))
    async with asyncio.timeout(20):
        assert (await reader.read()).startswith(b"HTTP/1.1 400")
    writer.close()


async def test_a_body_that_trickles_in_is_refused(
    fake_server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body_limit, "GRACE_S", SHORT_S)
    reader, writer = await connected(fake_server)
    head = f"POST /v1/sessions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
    head += "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n"
    writer.write(head.encode() + b'{"avatar_id"')
    async with asyncio.timeout(20):
        answer = await reader.readuntil(b'"instance"')
    assert answer.startswith(b"HTTP/1.1 408")
    assert b'"code":"request_timeout"' in answer
    writer.close()


async def test_without_a_key_the_body_is_not_awaited(fake_server: FakeServer) -> None:
    reader, writer = await connected(fake_server)
    writer.write(b"POST /v1/avatars HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n")
    async with asyncio.timeout(20):
        assert (await reader.readline()).startswith(b"HTTP/1.1 401")
    writer.close()


class SlowBody:
    """Chunks that take so long, by a clock of its own."""

    def __init__(self, chunks: int, chunk_bytes: int, seconds_each: float) -> None:
        self.at_s = 0.0
        self._left = chunks
        self._bytes = chunk_bytes
        self._seconds = seconds_each

    def clock(self) -> float:
        return self.at_s

    async def receive(self) -> dict[str, Any]:
        self._left -= 1
        self.at_s += self._seconds
        await asyncio.sleep(0)
        body = b"x" * self._bytes
        return {"type": "http.request", "body": body, "more_body": self._left > 0}


@pytest.mark.parametrize(
    ("chunks", "chunk_bytes", "seconds_each", "status"),
    [
        (10, 1000, 0.9 * GRACE_S / 10, 200),
        (10, 1000, 1.5 * GRACE_S / 10, 408),
        (30, SLOWEST_BYTES_PER_S, 1.2, 200),  # above the slowest rate for long enough
        (60, SLOWEST_BYTES_PER_S, 1.5, 408),
    ],
)
async def test_a_body_has_a_grace_and_a_slowest_rate(
    chunks: int, chunk_bytes: int, seconds_each: float, status: int
) -> None:
    async def read_all(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        await PlainTextResponse("read")(scope, receive, send)

    body = SlowBody(chunks, chunk_bytes, seconds_each)
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    limited = BodyLimit(read_all, Limits(), now=body.clock)
    scope = {"type": "http", "path": "/v1/videos", "headers": [], "method": "POST"}
    await limited(scope, body.receive, send)
    assert sent[0]["status"] == status
