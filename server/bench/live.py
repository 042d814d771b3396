"""Live sessions side by side, each with a microphone that speaks all the time."""

import asyncio
import time
from typing import Any

import numpy as np

from server.bench.figures import ClientFigures, LiveFigures, Spread, spread
from server.bench.measured_peer import MeasuredPeer
from server.bench.mouth import lip_gaps, mouth_lag_ms
from server.bench.speech_microphone import SpeechMicrophone
from server.bench.target import Target
from server.bench.usage import stage_usage
from server.bench.voice_lag import voice_lags_ms

FREEZE_MS = 200
KEPT_S = 20.0  # of pictures and sound, from each client: the first


async def measure_live(target: Target, sessions: int, seconds: float) -> LiveFigures:
    """``sessions`` clients for ``seconds``. Raises BenchError."""
    opened = [await target.open_session(voice_in="mic") for _ in range(sessions)]
    peers = [MeasuredPeer(SpeechMicrophone(target.wave)) for _ in opened]
    before, stages = await target.processes(), await target.stages()
    began = time.monotonic()
    await asyncio.gather(
        *(
            peer.connect(target.client, created["urls"]["offer"])
            for peer, created in zip(peers, opened, strict=True)
        )
    )
    await asyncio.sleep(min(KEPT_S, seconds))
    for peer in peers:
        peer.keeping = False
    await asyncio.sleep(max(0.0, seconds - KEPT_S))
    elapsed = time.monotonic() - began
    after, stages_after = await target.processes(), await target.stages()
    stats = [await target.figures(created) for created in opened]
    for peer, created in zip(peers, opened, strict=True):
        await peer.close()
        await target.end_session(created)
    clients = [
        await asyncio.to_thread(client_figures, peer, told)
        for peer, told in zip(peers, stats, strict=True)
    ]
    return LiveFigures(
        seconds=seconds,
        clients=clients,
        cpu_cores={
            name: round((usage.cpu_s - before[name].cpu_s) / elapsed, 3)
            for name, usage in after.items()
        },
        memory_mb={name: round(usage.memory_mb, 1) for name, usage in after.items()},
        stages=stage_usage(stages, stages_after, elapsed),
    )


def client_figures(peer: MeasuredPeer, stats: dict[str, Any]) -> ClientFigures:
    """What a peer has seen, and what the server told of its session."""
    gaps, av_gaps = peer.picture_gaps_ms(), peer.av_gaps_ms()
    mouth = mouth_lag_ms(lip_gaps(peer.pictures()), peer.sound())
    voice = voice_lags_ms(peer)
    late = 0.0 if mouth is None else mouth + float(np.median(av_gaps)) if len(av_gaps) else mouth
    return ClientFigures(
        fps=round(1000 / float(np.mean(gaps)), 2),
        longest_gap_ms=round(float(np.max(gaps)), 1),
        freezes=int(np.sum(gaps > FREEZE_MS)),
        frames_late=stats["frames_late"],
        av_gap_ms=spread(np.abs(av_gaps).tolist()),
        voice_to_sound_ms=spread(voice),
        mouth_behind_sound_ms=None if mouth is None else round(mouth, 1),
        voice_to_lips_ms=None if mouth is None else _later(spread(voice), late),
        picture_delay_ms=stats["picture_delay_ms"],
        degraded=str(stats.get("degraded", "none")),
    )


def _later(of: Spread | None, by_ms: float) -> Spread | None:
    if of is None:
        return None
    median, p95, worst = (round(value + by_ms, 1) for value in (of.median, of.p95, of.worst))
    return Spread(median, p95, worst, of.count)
