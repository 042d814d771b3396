"""The check, stage by stage. A stage that fails is written down, and the next one runs."""

import argparse
import gc
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import torch

from liveportrait.check.context import GOLDEN, CheckContext, CheckOptions, Stage
from liveportrait.check.machine import check_machine
from liveportrait.check.overlap import check_overlap
from liveportrait.check.parity import check_networks
from liveportrait.check.paths import check_paths
from liveportrait.check.report import parity_holds, requirements, write_report
from liveportrait.check.sessions import check_sessions
from liveportrait.check.timing import check_timing
from liveportrait.networks.networks import Networks
from liveportrait.networks.seeded import seeded_networks

STAGES: dict[str, Callable[[CheckContext], Stage]] = {
    "machine": check_machine,
    "networks": check_networks,
    "paths": check_paths,
    "timing": check_timing,
    "overlap": check_overlap,
    "sessions": check_sessions,
}


def main(argv: list[str], networks: Networks | None = None) -> int:
    """0 when parity holds, 1 when not, 2 when the check cannot run here.

    ``networks``: with seeded weights; made here when not given.
    """
    arguments = _parser().parse_args(argv)
    device = "cuda" if arguments.cuda else arguments.device
    if device is None:
        print("name the device: --cuda, or --device cpu for a dry run")
        return 2
    if device == "cuda" and not torch.cuda.is_available():
        print("no CUDA device here; --device cpu makes a dry run")
        return 2
    arguments.out.mkdir(parents=True, exist_ok=True)
    options = CheckOptions(
        device="cuda" if device == "cuda" else "cpu",
        out=arguments.out,
        quick=arguments.quick,
        golden=arguments.golden,
        networks=tuple(arguments.networks.split(",")),
    )
    context = CheckContext(options, networks or seeded_networks(), _say)
    stages = run_stages(context, arguments.stages.split(","))
    for what, found, holds in requirements(stages):
        _say(f"{'----' if holds is None else 'pass' if holds else 'FAIL'}  {what}: {found}")
    _say(f"{options.out / 'check.md'}, {options.out / 'check.json'}")
    return 0 if parity_holds(stages) else 1


def run_stages(context: CheckContext, names: list[str]) -> dict[str, Stage]:
    """Run stages by name, in order; the report is written after each."""
    stages: dict[str, Stage] = {}
    for name in names:
        context.say(f"{name} (after {time.monotonic() - context.started:.0f} s)")
        begun = time.monotonic()
        try:
            stages[name] = STAGES[name](context)
        except Exception as error:  # whatever it is, the other stages still tell something
            context.say(traceback.format_exc())
            stages[name] = {"ok": False, "error": f"{type(error).__name__}: {error}"}
        stages[name]["seconds"] = time.monotonic() - begun
        write_report(context.options.out, stages)
        gc.collect()
    return stages


def _say(line: str) -> None:
    print(line, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m liveportrait check",
        description="Parity, speed, overlap and sustained sessions on this machine's GPU.",
    )
    parser.add_argument("--cuda", action="store_true", help="run on the CUDA device")
    parser.add_argument("--device", choices=("cpu", "cuda"), help="cpu: a dry run of the same code")
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.add_argument("--quick", action="store_true", help="few repetitions")
    parser.add_argument("--stages", default=",".join(STAGES), help="some of %(default)s")
    parser.add_argument("--networks", default="F,M,W,G,S", help="whose parity; some of %(default)s")
    parser.add_argument("--golden", type=Path, default=GOLDEN, help=argparse.SUPPRESS)
    return parser
