"""Milliseconds that a frame of the lite engine takes on one thread, stage by stage: run it, it is
no test.

python tests/bench/bench_lite_renderer.py [--frames N] [--engine configs/engine/lite.yaml]

A frame is: its share of encoder and planner (both work a hop at a time), driving, every stage of
the drawing, and RGB -> I420. Figures are medians of the thread's own time, which another program's
load disturbs least, and of the wall clock.
"""

import argparse
import os
import platform
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

_WARM_UP = 5


class Stopwatch:
    """Times of named stages, in milliseconds: the thread's own, and the wall clock's."""

    def __init__(self) -> None:
        self._thread: dict[str, list[float]] = defaultdict(list)
        self._wall: dict[str, list[float]] = defaultdict(list)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Note how long what happens inside takes."""
        wall, thread = time.perf_counter(), time.thread_time()
        yield
        self._thread[name].append(1000 * (time.thread_time() - thread))
        self._wall[name].append(1000 * (time.perf_counter() - wall))

    def medians(self) -> tuple[dict[str, float], dict[str, float]]:
        """Thread time and wall clock of each stage, the first frames left out."""
        thread, wall = (
            {stage: float(np.median(times[_WARM_UP:])) for stage, times in kind.items()}
            for kind in (self._thread, self._wall)
        )
        return thread, wall


def cpu_name() -> str:
    """The processor's name as the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown processor"


def motion_share_ms(engine: Path) -> float:
    """A frame's share of encoder, planner and what joins their motion; wall clock."""
    import yaml

    from dit.evaluation.stage_times import measure_stages
    from dit.generator import MotionGenerator
    from models.device import DevicePolicy
    from models.speech_encoder import SpeechEncoder

    table = yaml.safe_load(engine.read_text())
    policy = DevicePolicy()
    encoder = SpeechEncoder.load(ROOT / table["encoder"], policy)
    times = measure_stages(MotionGenerator.load(ROOT / table["motion"], encoder, policy))
    hop_ms = times.encoder_ms + times.planner_ms + times.compose_ms
    print(
        f"a hop of {times.hop_frames} frames: encoder {times.encoder_ms:.1f}, planner "
        f"{times.planner_ms:.1f}, joining {times.compose_ms:.1f} ms"
    )
    return hop_ms / times.hop_frames


def main() -> None:
    """Print each portrait's stages and sum, then the median portrait with its motion."""
    import cv2

    from liveportrait.lite.engine import LiteRenderer
    from liveportrait.lite.sheet import POSES
    from models.device import DevicePolicy
    from models.images import decode_image

    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--engine", type=Path, default=ROOT / "configs/engine/lite.yaml")
    options = parser.parse_args()
    renderer = LiteRenderer(DevicePolicy(), ROOT / "weights")
    print(
        f"{cpu_name()}, one thread, {renderer.width}x{renderer.height}, "
        f"load {os.getloadavg()[0]:.1f}"
    )
    sums = []
    for path in sorted((ROOT / "server/avatars").glob("*.jpg")):
        portrait = renderer.prepare(decode_image(path.read_bytes()))
        poses = list(POSES.values())
        watch = Stopwatch()
        for index in range(options.frames + _WARM_UP):
            pose = poses[index % len(poses)]
            with watch.stage("drive"):
                motion = renderer.drive(portrait, pose)
            frame = np.empty((portrait.side_px, portrait.side_px, 3), np.uint8)
            with watch.stage("move"):
                moved = renderer.move(portrait, motion)
            for name, draw in renderer.stages.items():
                with watch.stage(name):
                    draw(frame, portrait, moved)
            with watch.stage("to I420"):
                cv2.cvtColor(frame, cv2.COLOR_RGB2YUV_I420)
        thread, wall = watch.medians()
        sums.append((sum(thread.values()), sum(wall.values())))
        stages = ", ".join(f"{name} {ms:.2f}" for name, ms in thread.items())
        print(f"{path.stem}: {sums[-1][0]:.2f} ms (wall {sums[-1][1]:.2f}): {stages}")
    share = motion_share_ms(options.engine)
    drawn, drawn_wall = np.median(sums, axis=0)
    print(
        f"whole frame: {drawn:.2f} + {share:.2f} (motion) = {drawn + share:.2f} ms; "
        f"drawing by the wall clock {drawn_wall:.2f}"
    )


if __name__ == "__main__":
    main()
