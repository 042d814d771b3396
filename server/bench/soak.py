"""One session for a long time: does anything drift or grow?"""

import asyncio
import time

import numpy as np

from server.bench.figures import SoakFigures, SoakSample
from server.bench.live import FREEZE_MS
from server.bench.measured_peer import CLOCK_HZ, MeasuredPeer
from server.bench.speech_microphone import SpeechMicrophone
from server.bench.target import Target

SAMPLE_S = 60.0
_WARM_SAMPLES = 3  # minutes until caches are full and allocators have what they need


async def measure_soak(target: Target, minutes: float) -> SoakFigures:
    """A microphone that speaks all the time; a sample every minute. Raises BenchError."""
    created = await target.open_session(voice_in="mic", max_duration_s=minutes * 60 + 60)
    peer = MeasuredPeer(SpeechMicrophone(target.wave))
    peer.keeping = False
    samples: list[SoakSample] = []
    try:
        await peer.connect(target.client, created["urls"]["offer"])
        await peer.first_picture.wait()
        ends_at = time.monotonic() + minutes * 60
        while (left_s := ends_at - time.monotonic()) > 0:
            await asyncio.sleep(min(SAMPLE_S, left_s))
            memory = {
                name: round(usage.memory_mb, 1)
                for name, usage in (await target.processes()).items()
            }
            samples.append(_sample(peer, len(samples) + 1, memory))
        stats = await target.figures(created)
    finally:
        await peer.close()
        await target.end_session(created)
    return _figures(samples, minutes, stats["frames_late"])


def _figures(samples: list[SoakSample], minutes: float, frames_late: int) -> SoakFigures:
    first, last = samples[0], samples[-1]
    warm = samples[min(_WARM_SAMPLES, len(samples)) - 1]
    return SoakFigures(
        minutes=minutes,
        drift_ms=round(last.clock_ms - first.clock_ms, 1),
        av_drift_ms=round((last.av_gap_ms or 0.0) - (first.av_gap_ms or 0.0), 1),
        memory_growth_mb={
            name: round(value - warm.memory_mb[name], 1) for name, value in last.memory_mb.items()
        },
        freezes=sum(sample.freezes for sample in samples),
        frames_late=frames_late,
        samples=samples,
    )


def _sample(peer: MeasuredPeer, minute: int, memory_mb: dict[str, float]) -> SoakSample:
    """Of the minute that ends now."""
    since = time.monotonic() - SAMPLE_S
    times = sorted(at for at in peer.received["video"].arrivals.values() if at >= since)
    gaps = np.diff(times) * 1000
    audio = peer.received["audio"]
    first_at = audio.arrivals[audio.first_stamp]
    late = [
        (at - first_at) * 1000 - (stamp - audio.first_stamp) * 1000 / CLOCK_HZ["audio"]
        for stamp, at in audio.arrivals.items()
        if at >= since
    ]
    av_gaps = peer.av_gaps_ms()[-int(SAMPLE_S) :]
    return SoakSample(
        minute=minute,
        fps=round(1000 / float(np.mean(gaps)), 2),
        freezes=int(np.sum(gaps > FREEZE_MS)),
        av_gap_ms=round(float(np.median(av_gaps)), 1) if len(av_gaps) else None,
        clock_ms=round(float(np.median(late)), 1),
        memory_mb=memory_mb,
    )
