"""What the figures were measured on."""

import platform
import subprocess
import sys
from typing import Any

import torch

from liveportrait.check.context import CheckContext, Stage


def check_machine(context: CheckContext) -> Stage:
    """Device, driver and versions."""
    facts: dict[str, Any] = {
        "ok": True,
        "device": device_name(context),
        "python": sys.version.split()[0],
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "system": platform.platform(),
    }
    if context.options.device == "cuda":
        properties = torch.cuda.get_device_properties(context.device)
        facts |= {
            "memory_gb": properties.total_memory / 2**30,
            "multiprocessors": properties.multi_processor_count,
            "capability": f"{properties.major}.{properties.minor}",
            "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
            "driver": driver_version(),
        }
    for name, value in facts.items():
        context.say(f"  {name}: {value}")
    return facts


def device_name(context: CheckContext) -> str:
    """The GPU's name, or the processor's kind."""
    if context.options.device == "cuda":
        return torch.cuda.get_device_name(context.device)
    return f"CPU ({platform.machine()}, {torch.get_num_threads()} threads)"


def driver_version() -> str | None:
    """As nvidia-smi says; None where it is not installed."""
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.split("\n")[0].strip()
