"""How soon a speaking face falls silent and comes to rest."""

import asyncio
import time
from dataclasses import dataclass

import numpy as np

from models.shapes import PcmArray
from server.bench.figures import InterruptFigures, spread
from server.bench.measured_peer import MeasuredPeer
from server.bench.mouth import lip_gaps
from server.bench.target import Target
from server.voice.media_time import PACKET_SAMPLES, VIDEO_CLOCK_HZ

_SPEAKING_S = 1.6  # of speech before it is cut; a little more every round
_STEP_S = 0.13
_RESTING_S = 1.2
_SILENT_RMS = 60.0  # of int16, -55 dBFS: what Opus leaves of silence
_LOUD_RMS = 1500.0  # -27 dBFS
_STAYS_MS = 400
_REST_SHARE = 0.25  # of the way from the shut mouth to a widely open one


@dataclass(frozen=True, slots=True)
class _Cut:
    """One call of interrupt."""

    called_at: float
    media_ms: float  # of the newest picture that had come by then


async def measure_interrupt(target: Target, rounds: int) -> InterruptFigures:
    """One session, interrupted again and again. Raises BenchError."""
    created = await target.open_session(voice_in="api")
    peer = MeasuredPeer()
    base = f"/v1/sessions/{created['id']}"
    cuts = []
    try:
        await peer.connect(target.client, created["urls"]["offer"])
        await peer.first_picture.wait()
        await asyncio.sleep(_RESTING_S)
        for turn in range(rounds):
            form = {"audio": ("speech.wav", target.audio)}
            (await target.client.post(f"{base}/speech", files=form)).raise_for_status()
            await asyncio.sleep(_SPEAKING_S + turn * _STEP_S)
            await _loud(peer)
            video = peer.received["video"]
            newest_ms = (max(video.arrivals) - video.first_stamp) * 1000 / VIDEO_CLOCK_HZ
            cuts.append(_Cut(time.monotonic(), newest_ms))
            (await target.client.post(f"{base}/interrupt")).raise_for_status()
            await asyncio.sleep(_RESTING_S)
    finally:
        await peer.close()
        await target.end_session(created)
    gaps = await asyncio.to_thread(lip_gaps, peer.pictures())
    silence = [_silence_ms(peer, cut) for cut in cuts]
    rest = [_rest_ms(peer, gaps, cut) for cut in cuts]
    seen = [value for value in rest if value is not None]
    return InterruptFigures(
        spread([value for value in silence if value is not None]), spread(seen), rounds - len(seen)
    )


async def _loud(peer: MeasuredPeer) -> None:
    """Until the newest sound is a voice, so that there is something to cut; a second at most."""
    for _ in range(50):
        if peer.sounds and _rms(peer.sounds[-1][1]) > _LOUD_RMS:
            return
        await asyncio.sleep(0.02)


def _rms(pcm: PcmArray) -> float:
    return float(np.sqrt(np.mean(np.square(pcm[:PACKET_SAMPLES].astype(np.float64)))))


def _silence_ms(peer: MeasuredPeer, cut: _Cut) -> float | None:
    """Until the last packet with sound came."""
    loud = [
        arrived
        for at, pcm in peer.sounds
        if (arrived := peer.sound_arrival(at)) is not None
        and cut.called_at - 1.0 < arrived < cut.called_at + _RESTING_S
        and _rms(pcm) > _SILENT_RMS
    ]
    return max(0.0, (max(loud) - cut.called_at) * 1000) if loud else None


def _rest_ms(peer: MeasuredPeer, gaps: dict[int, float], cut: _Cut) -> float | None:
    """Until the first picture came from which on the mouth stays at rest; None when it was shut, or
    no face was seen."""
    if not gaps:
        return None
    values = np.array(list(gaps.values()))
    shut, wide = np.percentile(values, [10, 95])
    at_rest = shut + _REST_SHARE * (wide - shut)
    around = sorted(ms for ms in gaps if cut.media_ms - 200 <= ms < cut.media_ms + 1000)
    opened = [ms for ms in around if gaps[ms] > at_rest and ms < cut.media_ms + _STAYS_MS]
    if not opened:
        return None
    settled = next((ms for ms in around if ms > opened[-1]), None)
    video = peer.received["video"]
    arrived = None if settled is None else video.arrival_ms_after_first(settled, VIDEO_CLOCK_HZ)
    return None if arrived is None else max(0.0, (arrived - cut.called_at) * 1000)
