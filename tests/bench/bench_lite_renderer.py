"""Milliseconds a frame of the lite renderer takes on one thread: run it, it is no test.

python tests/bench/bench_lite_renderer.py [--frames N]
"""

import argparse
import platform
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))


def cpu_name() -> str:
    """The processor's name as the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown processor"


def main() -> None:
    """Print mean and 95th percentile per portrait, wall clock and thread time."""
    from liveportrait.lite.sheet import POSES
    from liveportrait.renderer import load_renderer
    from models.device import DevicePolicy
    from models.images import decode_image

    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=int, default=200)
    frames = parser.parse_args().frames
    renderer = load_renderer("lite", DevicePolicy(), ROOT / "weights")
    print(f"{platform.node()}: {cpu_name()}, one thread, {renderer.width}x{renderer.height}")
    for path in sorted((ROOT / "server/avatars").glob("*.jpg")):
        portrait = renderer.prepare(decode_image(path.read_bytes()))
        motions = [renderer.drive(portrait, pose) for pose in POSES.values()]
        walls, cpus = [], []
        for index in range(frames + 5):
            wall, cpu = time.perf_counter(), time.thread_time()
            renderer.render([portrait], motions[index % len(motions)])
            walls.append(1000 * (time.perf_counter() - wall))
            cpus.append(1000 * (time.thread_time() - cpu))
        wall_ms, cpu_ms = np.array(walls[5:]), np.array(cpus[5:])
        print(
            f"{path.stem}: {wall_ms.mean():.2f} ms a frame "
            f"(95 % {np.quantile(wall_ms, 0.95):.2f}), "
            f"thread time {cpu_ms.mean():.2f} ms"
        )


if __name__ == "__main__":
    main()
