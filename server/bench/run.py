"""The whole bench: which measurements, on which server, told how."""

import asyncio
import json
import os
import platform
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from models.errors import ConfigError
from models.sound import read_sound
from server.bench.figures import (
    FirstFrameFigures,
    InterruptFigures,
    LiveFigures,
    SoakFigures,
    VideoFigures,
)
from server.bench.first_frame import measure_first_frame
from server.bench.interruption import measure_interrupt
from server.bench.live import measure_live
from server.bench.server_process import running_server
from server.bench.soak import measure_soak
from server.bench.target import Target
from server.bench.targets import (
    Row,
    client_rows,
    first_frame_rows,
    interrupt_rows,
    soak_rows,
    video_rows,
)
from server.bench.video import measure_video
from server.config.settings import ROOT
from server.voice.media_time import PLAYOUT_RATE_HZ

SAMPLE = ROOT / "client" / "web" / "samples" / "hello.wav"


@dataclass(frozen=True, slots=True)
class BenchPlan:
    """What to measure. ``url`` None: a server is started for it, with ``engine``."""

    seconds: float
    sessions: int
    rounds: int  # of first pictures and of interruptions
    soak_minutes: float
    video_s: float  # of the video that is ordered
    engine: str
    url: str | None
    key: str | None
    audio: Path
    session: dict[str, Any]  # body of POST /v1/sessions


@dataclass(frozen=True, slots=True)
class BenchResult:
    """Everything that was measured; what was not asked for is None."""

    measured_at: str
    machine: str
    load_average: float  # of the minute before
    first_frame: FirstFrameFigures | None
    live: LiveFigures | None
    interrupt: InterruptFigures | None
    soak: SoakFigures | None
    video: VideoFigures | None

    def rows(self) -> list[Row]:
        """The report's lines."""
        rows: list[Row] = []
        if self.first_frame:
            rows += first_frame_rows(self.first_frame)
        if self.live:
            for number, client in enumerate(self.live.clients, 1):
                rows += client_rows(f"session {number}", client)
            rows += [
                Row(f"processor: {name}, all sessions", f"{cores:.2f} cores")
                for name, cores in self.live.cpu_cores.items()
            ]
            rows += [
                Row(
                    f"stage {name}",
                    f"{of.mean_ms:.1f} ms (p95 up to {of.p95_ms:g}), {of.cores:.3f} cores",
                )
                for name, of in self.live.stages.items()
            ]
        if self.interrupt:
            rows += interrupt_rows(self.interrupt)
        if self.soak:
            rows += soak_rows(self.soak)
        if self.video:
            rows += video_rows(self.video)
        return rows

    def as_json(self) -> str:
        """For a file beside others."""
        return json.dumps(asdict(self), indent=2) + "\n"


async def run_bench(plan: BenchPlan, say: Callable[[str], None]) -> BenchResult:
    """Raises BenchError, ConfigError, SoundError, httpx.HTTPError."""
    load_average = os.getloadavg()[0]
    if not plan.audio.is_file():
        raise ConfigError(f"there is no sound file {plan.audio}")
    async with _target(plan) as target:
        first_frame = interrupt = live = soak = video = None
        if plan.rounds:
            say(f"first picture, {plan.rounds} sessions one after another")
            first_frame = await measure_first_frame(target, plan.rounds)
            say(f"interrupt, {plan.rounds} times")
            interrupt = await measure_interrupt(target, plan.rounds)
        if plan.seconds:
            say(f"{plan.sessions} live session(s) for {plan.seconds:g} s")
            live = await measure_live(target, plan.sessions, plan.seconds)
        if plan.soak_minutes:
            say(f"one session for {plan.soak_minutes:g} minutes")
            soak = await measure_soak(target, plan.soak_minutes)
        if plan.video_s:
            say(f"two videos of {plan.video_s:g} s, one after the other")
            video = await measure_video(target, plan.video_s)
    return BenchResult(
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=machine(),
        load_average=round(load_average, 2),
        first_frame=first_frame,
        live=live,
        interrupt=interrupt,
        soak=soak,
        video=video,
    )


@asynccontextmanager
async def _target(plan: BenchPlan) -> AsyncIterator[Target]:
    wave = await asyncio.to_thread(read_sound, plan.audio, out_rate_hz=PLAYOUT_RATE_HZ)
    audio = plan.audio.read_bytes()
    headers = {"Authorization": f"Bearer {plan.key}"} if plan.key else {}
    if plan.url is not None:
        async with httpx.AsyncClient(base_url=plan.url, headers=headers, timeout=60) as client:
            yield Target(client, None, plan.session, wave, audio)
        return
    settings = {
        "VISAVIS_ENGINE": plan.engine,
        "VISAVIS_LIMITS__MAX_SESSIONS": str(max(2, plan.sessions)),
    }
    with tempfile.TemporaryDirectory() as folder, running_server(Path(folder), **settings) as own:
        async with httpx.AsyncClient(base_url=own.url, timeout=60) as client:
            yield Target(client, own.process.pid, plan.session, wave, audio)


def machine() -> str:
    """Cores and processor."""
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return f"{os.cpu_count()} x {names[0] if names else platform.processor()}"


def table(rows: list[Row]) -> str:
    """The rows as text; what misses its target is marked."""
    width = max((len(row.what) for row in rows), default=0)
    marks = {True: "ok", False: "MISSED", None: ""}
    return "\n".join(
        f"{row.what:<{width}}  {row.figure:<44}  {row.target:<9} {marks[row.met]}".rstrip()
        for row in rows
    )
