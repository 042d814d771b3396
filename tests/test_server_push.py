"""Sessions pushed to real FFmpeg receivers over RTMP and SRT: what arrives in their files."""

import asyncio
import contextlib
import shutil
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import pytest

from server.config.presenting import PresentingSettings
from server.presenting.ffmpeg import FfmpegMissingError, find_ffmpeg
from tests.fake_engine import read_frame_number, read_level
from tests.server_fixtures import FakeServer, make_settings, run_fake_server, started_session, tone
from tests.test_server_api import wav_bytes

needs_ffmpeg = pytest.mark.skipif(
    shutil.which("ffmpeg") is None, reason="needs FFmpeg: apt-get install ffmpeg"
)
SECRET = "a-stream-key"


def free_port(kind: int) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class PushServer:
    """A server and where it may push to."""

    server: FakeServer
    rtmp_port: int
    srt_port: int

    @property
    def rtmp_url(self) -> str:
        return f"rtmp://127.0.0.1:{self.rtmp_port}/live/{SECRET}"

    @property
    def srt_url(self) -> str:
        return f"srt://127.0.0.1:{self.srt_port}?streamid={SECRET}"


@pytest.fixture(scope="module")
def pushing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PushServer]:
    ports = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_DGRAM)
    presenting = PresentingSettings(push_hosts=[f"127.0.0.1:{port}" for port in ports])
    settings = make_settings(tmp_path_factory.mktemp("engine"), presenting=presenting)
    with run_fake_server(settings) as server:
        yield PushServer(server, *ports)


@contextlib.asynccontextmanager
async def receiver(source: str, file: Path, *options: str) -> AsyncIterator[None]:
    """An FFmpeg that listens and keeps what it gets, until the sender says the end."""
    process = await asyncio.create_subprocess_exec(
        *("ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-y"),
        *(*options, "-i", source, "-c", "copy", str(file)),
    )
    try:
        yield
        async with asyncio.timeout(15):
            await process.wait()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def until_state(client: httpx.AsyncClient, path: str, state: str) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while True:
            status: dict[str, Any] = (await client.get(path)).json()
            if status["state"] == state:
                return status
            await asyncio.sleep(0.05)


async def start_push(client: httpx.AsyncClient, base: str, url: str) -> str:
    """The path of the new push."""
    answer = await client.post(f"{base}/push", json={"url": url})
    assert answer.status_code == 201, answer.text
    assert SECRET not in answer.text
    return f"{base}/push/{answer.json()['id']}"


async def push_pulses(client: httpx.AsyncClient, session: dict[str, Any], urls: list[str]) -> None:
    """Three tones of 0.4 s with as much silence between them, pushed from before they begin."""
    base = f"/v1/sessions/{session['id']}"
    pushes = [await start_push(client, base, url) for url in urls]
    for push in pushes:
        await until_state(client, push, "live")
    pulses = np.concatenate([tone(0.4), np.zeros(19_200, np.int16)] * 3)
    await client.post(f"{base}/speech", files={"audio": ("pulses.wav", wav_bytes(pulses))})
    await until_state(client, base, "speaking")
    await until_state(client, base, "idle")
    for push in pushes:
        assert (await client.delete(push)).status_code == 204
        assert (await client.get(push)).status_code == 404


@dataclass(frozen=True)
class Received:
    """A receiver's file, decoded."""

    picture_times: list[float]
    numbers: list[int]
    levels: list[float]
    brightest: list[int]
    codecs: tuple[str, str]
    sound_starts_at: float
    sound: np.ndarray[Any, Any]  # [n] at 48 kHz

    def loud(self, at_s: float) -> bool:
        """Whether the 40 ms from there on are."""
        first = round((at_s - self.sound_starts_at) * 48_000)
        piece = self.sound[max(0, first) : first + 1920]
        return bool(len(piece) and np.abs(piece).max() > 0.1)


def read_received(file: Path) -> Received:
    with av.open(str(file)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        codecs = (video.codec_context.name, audio.codec_context.name)
        pictures: list[Any] = []
        sounds: list[Any] = []
        for frame in container.decode(video, audio):
            (pictures if isinstance(frame, av.VideoFrame) else sounds).append(frame)
    shown = [frame.to_ndarray(format="rgb24") for frame in pictures]
    return Received(
        picture_times=[float(frame.time) for frame in pictures],
        numbers=[read_frame_number(picture) for picture in shown],
        levels=[read_level(picture) for picture in shown],
        brightest=[int(picture.max()) for picture in shown],
        codecs=codecs,
        sound_starts_at=float(sounds[0].time),
        sound=np.concatenate([frame.to_ndarray()[0] for frame in sounds]),
    )


def check_received(received: Received) -> None:
    """25 pictures a second, numbered and lit as they were drawn, in step with their sound."""
    assert received.codecs == ("h264", "aac")
    times, numbers = np.array(received.picture_times), np.array(received.numbers)
    assert len(times) > 60
    assert min(received.brightest[1:]) > 150  # number 0 in silence is black
    assert np.median(np.diff(times)) == pytest.approx(0.04, abs=0.002)
    due = numbers[0] + (times - times[0]) * 25
    assert np.mean(np.abs(numbers - due) < 0.1) > 0.9  # a busy machine shows some twice
    assert np.all(numbers < due + 0.1)
    assert abs(times[0] - received.sound_starts_at) < 0.1
    agree = [
        received.loud(at) == (level > 100)
        for at, level in zip(received.picture_times, received.levels, strict=True)
    ]
    assert np.mean(agree) > 0.9
    assert sum(level > 100 for level in received.levels) >= 25


@needs_ffmpeg
async def test_rtmp_and_srt_receivers_get_pictures_and_sound_in_step(
    pushing: PushServer, tmp_path: Path
) -> None:
    rtmp, srt = tmp_path / "rtmp.mkv", tmp_path / "srt.mkv"
    listening = f"srt://127.0.0.1:{pushing.srt_port}?mode=listener"
    async with (
        started_session(pushing.server) as (client, session),
        receiver(pushing.rtmp_url, rtmp, "-listen", "1"),
        receiver(listening, srt),
    ):
        await push_pulses(client, session, [pushing.rtmp_url, pushing.srt_url])
    check_received(read_received(rtmp))
    check_received(read_received(srt))


@needs_ffmpeg
async def test_a_push_waits_for_its_receiver_and_comes_back(
    pushing: PushServer, tmp_path: Path
) -> None:
    async with started_session(pushing.server) as (client, session):
        base = f"/v1/sessions/{session['id']}"
        live = pushing.server.app.state.context.sessions.get(session["id"])
        listener = live.session.events.listen()
        push = await start_push(client, base, pushing.rtmp_url)
        status = await until_state(client, push, "waiting")
        assert status["trouble"]
        assert SECRET not in str(status)
        async with receiver(pushing.rtmp_url, tmp_path / "late.mkv", "-listen", "1"):
            await until_state(client, push, "live")
            assert (await client.get(push)).json()["trouble"] is None
            await client.delete(base)
        states = [event.state for event in listener.waiting() if event.type == "push"]
    assert states[0] == "waiting"
    assert states[-2:] == ["live", "ended"]
    with av.open(str(tmp_path / "late.mkv")) as container:
        assert next(container.decode(video=0)).width == 128


async def test_a_push_needs_a_key_a_listed_place_and_room(pushing: PushServer) -> None:
    async with started_session(pushing.server) as (client, session):
        path = f"/v1/sessions/{session['id']}/push"
        async with pushing.server.client(session["token"]) as stranger:
            refused = await stranger.post(path, json={"url": pushing.rtmp_url})
        assert refused.status_code == 401
        elsewhere = await client.post(path, json={"url": "rtmp://127.0.0.1:22/live/key"})
        assert (elsewhere.status_code, elsewhere.json()["code"]) == (403, "push_not_allowed")
        file = await client.post(path, json={"url": "file:///etc/passwd"})
        assert (file.status_code, file.json()["code"]) == (422, "bad_push_url")
        assert (await client.get(f"{path}/push_x")).status_code == 404
        assert (await client.get(path)).json() == {"pushes": []}


@needs_ffmpeg
async def test_no_more_pushes_than_a_session_may_have(pushing: PushServer) -> None:
    async with started_session(pushing.server) as (client, session):
        base = f"/v1/sessions/{session['id']}"
        for _ in range(2):
            await start_push(client, base, pushing.srt_url)
        third = await client.post(f"{base}/push", json={"url": pushing.srt_url})
        assert (third.status_code, third.json()["code"]) == (409, "conflict")


async def test_without_ffmpeg_a_push_is_refused_in_words() -> None:
    with pytest.raises(FfmpegMissingError, match="no program 'no-such-ffmpeg'"):
        find_ffmpeg("no-such-ffmpeg")
