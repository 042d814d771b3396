"""Other people's clients: FFmpeg publishes over WHIP, whip-whep on libwebrtc watches over WHEP."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import pytest

from tests.rsa_certificate import rsa_pem
from tests.server_fixtures import KEY, FakeServer, started_session
from tests.test_server_peer import heard, numbers
from tests.whep_watching import whep

NODE_CLIENT = Path(__file__).parent / "e2e" / "node"
LIMIT_S = 60.0
VOICE = ["-re", "-f", "lavfi", "-i", "sine=frequency=440:duration=20"]
OPUS = ["-c:a", "libopus", "-ar", "48000", "-ac", "2"]
PICTURE = ["-re", "-f", "lavfi", "-i", "testsrc=size=160x120:rate=25:duration=20"]
H264_HIGH = [
    "-c:v",
    "libx264",
    "-profile:v",
    "high",
    "-preset",
    "ultrafast",
    "-bf",
    "0",
    "-pix_fmt",
    "yuv420p",
]


async def run_node_viewer(endpoint: str, token: str, *arguments: str) -> dict[str, Any]:
    if shutil.which("node") is None:
        pytest.skip("Node.js is missing (Debian: apt-get install nodejs npm)")
    if not (NODE_CLIENT / "node_modules").is_dir():
        pytest.skip(f"the Node client is not installed: npm ci in {NODE_CLIENT}")
    process = await asyncio.create_subprocess_exec(
        "node",
        str(NODE_CLIENT / "watch.js"),
        endpoint,
        token,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(LIMIT_S):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        raise
    assert process.returncode == 0, err.decode()
    report: dict[str, Any] = json.loads(out)
    return report


async def test_whip_whep_on_libwebrtc_watches_and_leaves(fake_server: FakeServer) -> None:
    async with started_session(fake_server) as (_, session):
        endpoint = fake_server.url + session["urls"]["whep"]
        report = await run_node_viewer(endpoint, session["token"], "40")
        live = fake_server.app.state.context.sessions.get(session["id"])
        assert live.connections.viewers == 0
    assert report["answers"] == [["POST", 201], ["PATCH", 204], ["DELETE", 200]]
    seen = report["seen"]
    assert (seen["width"], seen["height"]) == (128, 128)
    assert seen["lit"] >= 35  # frame 0 has no lit cell
    assert seen["sounds"] > 50


async def test_libwebrtc_restarts_ice_and_goes_on_watching(fake_server: FakeServer) -> None:
    async with started_session(fake_server) as (_, session):
        endpoint = fake_server.url + session["urls"]["whep"]
        report = await run_node_viewer(endpoint, session["token"], "40", "restart")
    assert ["PATCH", 200] in report["answers"]
    assert {status for _, status in report["answers"]} <= {200, 201, 204}
    restart = report["restart"]
    assert restart["state"] == "connected"
    assert restart["port"] != restart["portBefore"]
    assert report["seen"]["pictures"] >= 80


class FfmpegPublisher:
    """``ffmpeg -f whip``: a voice, and perhaps a picture, until it is told to stop."""

    def __init__(self, server: FakeServer, *arguments: str) -> None:
        self._arguments = [*arguments, "-f", "whip", "-authorization", KEY]
        self._url = f"{server.url}/v1/whip?avatar_id=anna"
        self._sessions = server.app.state.context.sessions

    async def __aenter__(self) -> "FfmpegPublisher":
        before = {live.session_id for live in self._sessions.all()}
        self._process = await asyncio.create_subprocess_exec(
            imageio_ffmpeg.get_ffmpeg_exe(),
            *("-hide_banner", "-loglevel", "error"),
            *self._arguments,
            self._url,
            stdin=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(LIMIT_S):
            while not (new := [s for s in self._sessions.all() if s.session_id not in before]):
                assert self._process.returncode is None, await self.errors()
                await asyncio.sleep(0.05)
        self.live = new[0]
        return self

    async def errors(self) -> str:
        assert self._process.stderr is not None
        return (await self._process.stderr.read()).decode()

    async def stop(self) -> int:
        """As a user would: q. Returns FFmpeg's exit status."""
        async with asyncio.timeout(LIMIT_S):
            await self._process.communicate(b"q")
        assert self._process.returncode is not None
        return self._process.returncode

    async def __aexit__(self, *_: object) -> None:
        if self._process.returncode is None:
            self._process.kill()
            await self._process.communicate()


async def check_published(server: FakeServer, *arguments: str) -> None:
    """Somebody watches what FFmpeg says, until FFmpeg ends it."""
    sessions = server.app.state.context.sessions
    async with FfmpegPublisher(server, *arguments) as ffmpeg, server.client("") as client:
        live = ffmpeg.live
        client.headers["authorization"] = f"Bearer {live.token}"
        async with whep(client, f"/v1/sessions/{live.session_id}/whep") as exchange:
            # longer than an unanswered consent check would let it live
            await exchange.watcher.until(pictures=200)
            assert live.connections.connected
            assert await ffmpeg.stop() == 0
        assert live.session_id not in {each.session_id for each in sessions.all()}
    assert np.abs(heard(exchange.watcher)[-24_000:]).max() > 1000
    assert numbers(exchange.watcher)[-1] >= 190


async def test_ffmpeg_publishes_a_voice(fake_server: FakeServer) -> None:
    await check_published(fake_server, *VOICE, *OPUS)


async def test_ffmpeg_publishes_with_a_picture_that_is_refused_and_an_rsa_certificate(
    fake_server: FakeServer, tmp_path: Path
) -> None:
    files: list[str] = []
    for name, pem in zip(("key", "cert"), rsa_pem(), strict=True):
        (tmp_path / f"{name}.pem").write_bytes(pem)
        files += [f"-{name}_file", str(tmp_path / f"{name}.pem")]
    await check_published(fake_server, *VOICE, *PICTURE, *OPUS, *H264_HIGH, *files)
