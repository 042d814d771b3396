"""The first seconds of a worker: run every path once, and measure what a hop takes."""

import time

import numpy as np

from models.images import decode_image
from models.motion import concatenate
from models.timing import SAMPLES_PER_FRAME
from server.engine.config import MODES, Engine, EngineConfig, Mode, MotionLevels
from server.engine.messages import EngineInfo, ModeTiming

_MEASURED_HOPS = {"live": 6, "chunk": 2}
_LONGEST_WAIT_FRAMES = 500
_LONGEST_MODE_S = 10.0  # where a picture takes seconds, one hop must do


def warm_up(engine: Engine, config: EngineConfig, image: bytes) -> EngineInfo:
    """Speak a second of noise with a portrait in every mode; returns the measured figures.

    Raises PortraitError when the portrait of the warm-up itself is bad.
    """
    portrait = engine.renderer.prepare(decode_image(image))
    timings: dict[Mode, ModeTiming] = {}
    render_ms = 0.0
    for mode in MODES:
        stream = engine.generator.start(
            mode=mode, seed=0, controls=engine.make_controls(MotionLevels())
        )
        noise = np.random.default_rng(0)
        hop_frames, hop_ms, started = 0, [], time.perf_counter()
        for _ in range(_LONGEST_WAIT_FRAMES):
            voice = noise.normal(0.0, 0.05, SAMPLES_PER_FRAME).astype(np.float32)
            began = time.perf_counter()
            generated = stream.push(voice)
            if len(generated) == 0:
                continue
            driven = engine.renderer.drive(portrait, generated)
            engine.renderer.render([portrait], driven[:1])
            hop_ms.append((time.perf_counter() - began) * 1000)
            hop_frames = max(hop_frames, len(generated))
            batch = min(config.batch_on(engine.device), len(generated))
            began = time.perf_counter()
            engine.renderer.render([portrait] * batch, concatenate([driven[:batch]]))
            render_ms = (time.perf_counter() - began) * 1000 / batch
            enough = len(hop_ms) >= _MEASURED_HOPS[mode]
            if enough or time.perf_counter() - started > _LONGEST_MODE_S:
                break
        # the first hop pays for what is made once; the others may be disturbed by what else runs
        typical_ms = float(np.median(hop_ms[1:] or hop_ms))
        timings[mode] = ModeTiming(stream.delay_frames, hop_frames, typical_ms)
    return EngineInfo(
        name=config.name,
        device=engine.device,
        width=config.width,
        height=config.height,
        live=timings["live"],
        chunk=timings["chunk"],
        render_ms=render_ms,
        choices=engine.renderer.choices,
    )
