"""Live sessions on this machine, measured from the client's side: run it, it is no test.

python tests/bench/bench_session.py [--seconds N] [--clients N] [--engine NAME] [--json FILE]
    [--size 256|512|768] [--framing face|full] [--background none|blur|colour]

Starts the real server on a free port and connects peers whose microphone plays a speech. Arrival
is taken when an RTP packet arrives, not when a receiver has decoded it, so no jitter buffer of the
measuring client is part of the figures. Microphone to lips is the time from the microphone's sound
to the same sound's return, plus the lag of the mouth in the pictures behind that sound.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from models.errors import VisavisError  # noqa: E402
from models.sound import read_sound  # noqa: E402
from server.bench.measured_peer import MeasuredPeer, SpeechMicrophone  # noqa: E402
from server.bench.mouth import mouth_lag_ms  # noqa: E402
from server.bench.server_process import running_server  # noqa: E402

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class ClientFigures:
    """What one client saw. ``av_gap_ms`` is positive when the picture is behind its sound."""

    fps: float
    longest_gap_ms: float  # between two pictures
    freezes: int  # gaps of more than 200 ms
    frames_late: int  # told by the server: pictures shown twice
    first_frame_ms: float  # from sending the offer
    av_gap_ms: float  # median, by the time stamps of the sender reports
    av_gap_worst_ms: float
    mic_to_sound_ms: float
    mouth_behind_sound_ms: float | None
    mic_to_lips_ms: float | None
    picture_delay_ms: int  # the part of it that the server adds on purpose
    motion_ms: float
    render_ms: float


def main() -> None:
    """Print the figures as text, and write them as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--avatar", default="anna")
    parser.add_argument("--engine", default="lite")
    parser.add_argument("--audio", type=Path, default=ROOT / "client/web/samples/hello.wav")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--framing", default="face")
    parser.add_argument("--background", default="none", help="none, blur or colour")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    os.environ["VISAVIS_ENGINE"] = asked.engine
    os.environ["VISAVIS_LIMITS__MAX_SESSIONS"] = str(asked.clients)
    with tempfile.TemporaryDirectory() as folder, running_server(Path(folder)) as server:
        figures = asyncio.run(measure(server.url, server.process.pid, asked))
    print(json.dumps(figures, indent=2))
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=2) + "\n")


async def measure(url: str, process_id: int, asked: argparse.Namespace) -> dict[str, Any]:
    """All clients at once."""
    try:
        wave = read_sound(asked.audio, out_rate_hz=48_000)
    except VisavisError as error:
        sys.exit(f"error: {error}")
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        clients = [watch(client, wave, asked) for _ in range(asked.clients)]
        before = cpu_seconds(process_id)
        began = asyncio.get_running_loop().time()
        peers = await asyncio.gather(*clients)
        elapsed = asyncio.get_running_loop().time() - began
        used = {
            name: round((seconds - before.get(name, 0.0)) / elapsed, 3)
            for name, seconds in cpu_seconds(process_id).items()
        }
    return {
        "seconds": asked.seconds,
        "clients": [asdict(peer) for peer in peers],
        "cpu_cores_used": used,
        "cores": os.cpu_count(),
        "load_average": os.getloadavg()[0],
    }


async def watch(
    client: httpx.AsyncClient, wave: np.ndarray[Any, Any], asked: argparse.Namespace
) -> ClientFigures:
    """One client from its session to its figures."""
    background = {"type": asked.background}
    output = {"size": asked.size, "framing": asked.framing, "background": background}
    body = {"avatar_id": asked.avatar, "voice_in": "mic", "output": output}
    session = (await client.post("/v1/sessions", json=body)).raise_for_status().json()
    peer = MeasuredPeer(SpeechMicrophone(wave))
    await peer.connect(client, session["urls"]["offer"])
    await asyncio.sleep(asked.seconds)
    stats = (await client.get(f"/v1/sessions/{session['id']}")).json()["stats"]
    await peer.close()
    await client.delete(f"/v1/sessions/{session['id']}")
    mouth = await asyncio.to_thread(mouth_lag_ms, peer.pictures, peer.sound())
    gaps = peer.picture_gaps_ms()
    av_gaps = peer.av_gaps_ms()
    mic_to_sound = peer.mic_to_sound_ms()
    lips = None if mouth is None else mic_to_sound + float(np.median(av_gaps)) + mouth
    return ClientFigures(
        fps=round(1000 / float(np.mean(gaps)), 2),
        longest_gap_ms=round(float(np.max(gaps)), 1),
        freezes=int(np.sum(gaps > 200)),
        frames_late=stats["frames_late"],
        first_frame_ms=round(peer.first_frame_ms(), 1),
        av_gap_ms=round(float(np.median(av_gaps)), 1),
        av_gap_worst_ms=round(float(np.max(np.abs(av_gaps))), 1),
        mic_to_sound_ms=round(mic_to_sound, 1),
        mouth_behind_sound_ms=mouth,
        mic_to_lips_ms=None if lips is None else round(lips, 1),
        picture_delay_ms=stats["picture_delay_ms"],
        motion_ms=stats["motion_ms"],
        render_ms=stats["render_ms"],
    )


def cpu_seconds(server_id: int) -> dict[str, float]:
    """CPU time of the server and of its engine worker (the child that used the most)."""
    tasks = Path(f"/proc/{server_id}/task").glob("*/children")
    workers = [_cpu_seconds(int(child)) for task in tasks for child in task.read_text().split()]
    return {"server": _cpu_seconds(server_id), "engine": max(workers, default=0.0)}


def _cpu_seconds(process_id: int) -> float:
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


if __name__ == "__main__":
    main()
