"""How many live sessions this machine can take without a stutter for those inside.

Every second of a session has a price, measured when the engine warms up: the worker's time (one
thread for motion and one for pictures serve all sessions of a CPU, one for both those of a GPU),
and CPU time on any core. Larger pictures cost more. A new session is taken as long as both prices
together stay within a stated share of what there is.
Videos and the studio run at low priority, and are not counted.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from models.timing import FPS
from server.api.problems import ApiError
from server.engine.config import Mode
from server.engine.messages import EngineInfo, SecondCost

HEAD_ROOM = 0.75  # the share of worker and cores that sessions may be promised
AUTO_LANES = 32  # of the ring: the most that are ever taken without a number in the settings
# a second of one session's packets, sound, voice and clock in the server's own process
NETWORK = SecondCost(worker_s=0.0, cpu_s=0.15)
SHORTEST_RETRY_S, LONGEST_RETRY_S = 1, 10  # sessions often end before their time


class AtCapacityError(ApiError):
    """No further session fits."""

    def __init__(self, running: int, remaining_s: Sequence[float]) -> None:
        """``remaining_s``: what the running sessions have left before they must end."""
        detail = f"{running} sessions run, and the machine holds no further one"
        super().__init__("at_capacity", detail, retry_after_s(remaining_s))


@dataclass(frozen=True, slots=True)
class Capacity:
    """``asked``: a number counts sessions, whatever they cost; ``auto`` counts what they cost."""

    asked: int | Literal["auto"]
    encode_cpu_ms: float = 0.0  # CPU time of one usual picture in the dearest codec
    cores: int = os.cpu_count() or 1

    @property
    def lanes(self) -> int:
        """Sessions that the ring must have room for."""
        return AUTO_LANES if self.asked == "auto" else self.asked

    def cost(self, info: EngineInfo, mode: Mode, size: tuple[int, int]) -> SecondCost:
        """One second of a session with pictures of ``size`` (width, height)."""
        encoding = SecondCost(worker_s=0.0, cpu_s=self.encode_cpu_ms / 1000 * FPS)
        pictures = (info.pictures + encoding).times(info.area_ratio(size))
        motion = info.timing(mode).motion
        together = motion + pictures + NETWORK
        if not info.motion_apart:
            return together
        # two threads: the busier one decides, and sessions are alike
        return replace(together, worker_s=max(motion.worker_s, pictures.worker_s))

    def usual_cost(self, info: EngineInfo) -> SecondCost:
        """One second of a live session with the engine's own picture size."""
        return self.cost(info, "live", (info.width, info.height))

    def admits(self, running: Sequence[SecondCost], new: SecondCost) -> bool:
        """Whether a session of this cost fits beside those that run; one always does."""
        if self.asked != "auto" or not running:
            return len(running) < self.lanes
        together = sum(running, new)
        worker, cores = together.worker_s / HEAD_ROOM, together.cpu_s / HEAD_ROOM
        return len(running) < self.lanes and worker <= 1.0 and cores <= self.cores

    def max_sessions(self, info: EngineInfo | None) -> int:
        """How many usual sessions fit; 1 until the engine has been measured."""
        if self.asked != "auto":
            return self.asked
        if info is None:
            return 1
        usual = self.usual_cost(info)
        running = 1
        while self.admits([usual] * running, usual):
            running += 1
        return running


def retry_after_s(remaining_s: Sequence[float]) -> int:
    """When to ask again: the first of the running sessions must end then, or may have ended."""
    first = min(remaining_s, default=float(LONGEST_RETRY_S))
    return int(min(max(first + 1, SHORTEST_RETRY_S), LONGEST_RETRY_S))
