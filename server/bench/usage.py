"""What a server's processes use, and what its own histograms say of every stage."""

import os
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
_PREFIX, _SUFFIX = "visavis_", "_seconds"


@dataclass(frozen=True, slots=True)
class ProcessUsage:
    """Processor seconds so far, and memory now."""

    cpu_s: float
    memory_mb: float


@dataclass(frozen=True, slots=True)
class StageUsage:
    """One stage over a stretch of time."""

    calls: int
    mean_ms: float
    p95_ms: float  # upper edge of the histogram's bucket in which it lies
    cores: float  # busy seconds per second; wall time, so waiting for a core counts


Buckets = dict[str, dict[str, float]]  # stage -> bucket edge, "sum" or "count" -> value


def processes_of(server_id: int) -> dict[str, ProcessUsage]:
    """``server`` and ``engine``: the child that has used the most processor time."""
    tasks = Path(f"/proc/{server_id}/task").glob("*/children")
    children = [int(child) for task in tasks for child in task.read_text().split()]
    workers = sorted((_usage(child) for child in children), key=lambda usage: usage.cpu_s)
    usages = {"server": _usage(server_id)}
    return {**usages, "engine": workers[-1]} if workers else usages


def read_stages(exposition: str) -> Buckets:
    """The histograms of seconds in a Prometheus text."""
    stages: Buckets = {}
    for family in text_string_to_metric_families(exposition):
        if family.type != "histogram" or not family.name.endswith(_SUFFIX):
            continue
        stage = stages.setdefault(family.name.removeprefix(_PREFIX).removesuffix(_SUFFIX), {})
        for sample in family.samples:
            kind = sample.labels.get("le") or sample.name.rpartition("_")[2]
            stage[kind] = stage.get(kind, 0.0) + sample.value
    return stages


def stage_usage(before: Buckets, after: Buckets, elapsed_s: float) -> dict[str, StageUsage]:
    """Every stage that ran between two readings."""
    stages = {}
    for name, values in after.items():
        earlier = before.get(name, {})
        grown = {kind: value - earlier.get(kind, 0.0) for kind, value in values.items()}
        if (calls := int(grown.pop("count"))) == 0:
            continue
        busy_s = grown.pop("sum")
        grown.pop("created", None)
        edges = sorted(grown.items(), key=lambda edge: float(edge[0]))
        p95 = next(float(edge) for edge, below in edges if below >= 0.95 * calls)
        stages[name] = StageUsage(
            calls,
            round(busy_s / calls * 1000, 2),
            round(p95 * 1000, 1),
            round(busy_s / elapsed_s, 3),
        )
    return stages


def _usage(process_id: int) -> ProcessUsage:
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    pages = int(Path(f"/proc/{process_id}/statm").read_text().split()[1])
    return ProcessUsage(
        (int(fields[11]) + int(fields[12])) / _CLOCK_TICKS,
        pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
    )
