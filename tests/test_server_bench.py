"""The bench measures what it says: known delays are found again, and a whole run works."""

import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from models.shapes import FloatArray
from server.bench.figures import Spread, spread
from server.bench.live import measure_live
from server.bench.measured_peer import MeasuredPeer, Received
from server.bench.mouth import mouth_lag_ms
from server.bench.run import SAMPLE, BenchPlan, run_bench, table
from server.bench.speech_microphone import SpeechMicrophone
from server.bench.target import BenchError, Target
from server.bench.targets import Row, below
from server.bench.usage import read_stages, stage_usage
from server.bench.voice_lag import voice_lags_ms
from server.metrics import Metrics
from tests.conftest import ROOT
from tests.fake_engine import write_config
from tests.server_fixtures import KEY, FakeServer

PACKET = 960


def babble(seconds: float) -> FloatArray:
    """Noise in syllables [n] at 48 kHz: no two stretches are alike."""
    noise = np.random.default_rng(3)
    count = int(seconds * 48_000)
    syllables = noise.uniform(0.0, 1.0, int(seconds * 7) + 1)
    level = np.interp(np.arange(count) / 48_000 * 7, range(len(syllables)), syllables)
    return (noise.normal(0, 0.2, count) * level**2).astype(np.float32)


@pytest.mark.parametrize("delay_ms", [0, 37, 433])
async def test_a_known_delay_of_the_voice_is_found(delay_ms: int) -> None:
    microphone = SpeechMicrophone(babble(20.0))
    microphone.first_left_at = 1000.0
    peer = MeasuredPeer(microphone)
    for packet in range(400):
        said = packet * PACKET + 3 * 48_000
        peer.sounds.append((packet * PACKET, microphone.pcm[said : said + PACKET]))
        peer.received["audio"].arrivals[packet * PACKET] = 1003.0 + packet / 50 + delay_ms / 1000
    lags = voice_lags_ms(peer)
    await peer.close()
    assert len(lags) >= 3
    assert np.allclose(lags, delay_ms, atol=1.0)


@pytest.mark.parametrize("late_frames", [-2, 0, 3])
def test_a_known_lag_of_the_mouth_is_found(late_frames: int) -> None:
    sound = (babble(12.0) * 20_000).astype(np.int16)
    levels = np.sqrt(np.mean(sound.reshape(-1, 1920).astype(np.float64) ** 2, axis=1))
    opened = {(frame + late_frames) * 40: float(np.log1p(x)) for frame, x in enumerate(levels)}
    assert mouth_lag_ms(opened, sound) == pytest.approx(late_frames * 40, abs=8)
    assert mouth_lag_ms(dict(list(opened.items())[:50]), sound) is None


def test_time_stamps_go_on_where_they_wrap() -> None:
    received = Received()
    for packet in range(4):
        stamp = (2**32 - 3600 + packet * 3600) % 2**32
        received.arrivals[received.unwrapped(stamp)] = float(packet)
    assert list(received.arrivals) == [2**32 - 3600 + packet * 3600 for packet in range(4)]


def test_stages_are_the_difference_of_two_readings() -> None:
    metrics = Metrics()
    metrics.motion_s.observe(0.5)
    before = read_stages(metrics.exposition().decode())
    for _ in range(9):
        metrics.motion_s.observe(0.010)
    metrics.motion_s.observe(0.030)
    stages = stage_usage(before, read_stages(metrics.exposition().decode()), 2.0)
    assert set(stages) == {"motion"}
    assert stages["motion"].calls == 10
    assert stages["motion"].mean_ms == pytest.approx(12.0)
    assert stages["motion"].p95_ms == 40.0
    assert stages["motion"].cores == pytest.approx(0.06)


def test_a_median_above_its_limit_is_told() -> None:
    assert spread([]) is None
    seen = spread([10.0, 20.0, 600.0])
    assert seen == Spread(20.0, 542.0, 600.0, 3)
    assert below("voice", seen, 500).met is True
    assert below("voice", seen, 15).met is False
    assert below("voice", None, 15).met is None
    assert "MISSED" in table([Row("voice", "20 ms", "< 15 ms", False)])


async def test_a_live_session_is_measured(fake_server: FakeServer) -> None:
    async with fake_server.client() as client:
        session = {"avatar_id": "anna"}
        target = Target(client, None, session, babble(4.0), b"")
        live = await measure_live(target, sessions=1, seconds=4.0)
        left = (await client.get("/v1/sessions")).json()["sessions"]
    (figures,) = live.clients
    assert left == []
    assert figures.fps > 5
    assert figures.picture_delay_ms > 0
    assert figures.voice_to_lips_ms is None, "the fake engine's pictures show no face"
    assert live.stages["render"].calls > 20
    assert asdict(live)["seconds"] == 4.0


async def test_what_a_server_refuses_is_told_in_its_words(fake_server: FakeServer) -> None:
    async with fake_server.client() as client:
        target = Target(client, None, {"avatar_id": "nobody"}, babble(1.0), b"")
        with pytest.raises(BenchError, match="there is no avatar"):
            await target.open_session()


async def test_a_session_that_ended_meanwhile_is_told(fake_server: FakeServer) -> None:
    async with fake_server.client() as client:
        target = Target(client, None, {"avatar_id": "anna"}, babble(1.0), b"")
        created = await target.open_session(voice_in="mic")
        await target.end_session(created)
        with pytest.raises(BenchError, match="a session ended before it was measured"):
            await target.figures(created)


async def test_a_running_server_is_measured_whole(fake_server: FakeServer) -> None:
    plan = BenchPlan(
        seconds=0.0,
        sessions=1,
        rounds=2,
        soak_minutes=0.05,
        video_s=1.0,
        engine="lite",
        url=fake_server.url,
        key=KEY,
        audio=SAMPLE,
        session={"avatar_id": "anna"},
    )
    said: list[str] = []
    result = await run_bench(plan, said.append)
    assert result.first_frame is not None
    assert result.first_frame.from_offer_ms is not None
    assert result.first_frame.from_offer_ms.count == 2
    assert result.soak is not None
    assert result.soak.samples[0].fps > 5
    assert result.video is not None
    assert result.video.next_s > 0
    assert len(said) == 4
    assert "first picture" in table(result.rows())
    assert '"measured_at"' in result.as_json()


def test_a_bench_that_is_ended_ends_its_server(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "server", "bench", "--rounds", "0", "--engine"]
    with subprocess.Popen(
        [*command, str(write_config(tmp_path))], cwd=ROOT, stderr=subprocess.PIPE, text=True
    ) as bench:
        assert bench.stderr is not None
        assert any("live session" in line for line in bench.stderr), "it ended by itself"
        tasks = Path(f"/proc/{bench.pid}/task").glob("*/children")
        children = [int(pid) for file in tasks for pid in file.read_text().split()]
        bench.send_signal(signal.SIGTERM)
        assert bench.wait(60) == 128 + signal.SIGTERM
    assert children
    assert not any(Path(f"/proc/{child}").exists() for child in children)
