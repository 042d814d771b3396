"""check.json for programs, check.md for people."""

import json
from pathlib import Path
from typing import Any

from liveportrait.check.context import Stage
from liveportrait.check.overlap import REQUIRED_SHARE
from liveportrait.check.sessions import REQUIRED_SESSIONS
from liveportrait.check.timing import FLOOR_MS, REQUIRED_MS

_MEASURES = ("ms/frame", "TFLOP/s", "floor", "GB")
PARITY_STAGES = ("networks", "paths")
_VERDICTS = {True: "pass", False: "FAIL", None: "not measured"}


def requirements(stages: dict[str, Stage]) -> list[tuple[str, str, bool | None]]:
    """What is required, what was found, whether it holds; None when it was not measured."""
    timing, overlap, sessions = (stages.get(n, {}) for n in ("timing", "overlap", "sessions"))
    at_8, share = timing.get("ms_per_frame_at_8"), overlap.get("hidden_share")
    return [
        ("every network as the official one", *_parity(stages.get("networks"))),
        ("fast path as the plain one", *_parity(stages.get("paths"))),
        (
            f"at most {REQUIRED_MS:g} ms a frame at batch 8",
            "-" if at_8 is None else f"{at_8:.2f} ms ({timing['best_at_8']})",
            None if at_8 is None else bool(timing["holds"]),
        ),
        (
            f"at least {REQUIRED_SESSIONS} sessions of 25 FPS, p99 under 40 ms late",
            "-" if sessions.get("holds") is None else str(sessions["sessions"]),
            sessions.get("holds"),
        ),
        (
            f"at least {REQUIRED_SHARE:.0%} of copy time under computing",
            "-" if share is None else f"{share:.1%}",
            overlap.get("holds"),
        ),
    ]


def parity_holds(stages: dict[str, Stage]) -> bool:
    """Whether every parity stage that ran holds, and at least one ran."""
    ran = [stages[name] for name in PARITY_STAGES if name in stages]
    return bool(ran) and all(stage.get("ok") is True for stage in ran)


def write_report(out: Path, stages: dict[str, Stage]) -> None:
    """Write both files into ``out``."""
    found = {
        "requirements": [
            {"what": what, "found": value, "holds": holds}
            for what, value, holds in requirements(stages)
        ],
        "stages": stages,
    }
    text = json.dumps(found, indent=1, default=str)
    (out / "check.json").write_text(text + "\n", encoding="utf-8")
    (out / "check.md").write_text("\n".join(_lines(stages)) + "\n", encoding="utf-8")


def _parity(stage: Stage | None) -> tuple[str, bool | None]:
    if stage is None:
        return "-", None
    rows = stage.get("rows", [])
    failed = [f"{row['precision']} {row['name']}" for row in rows if not row["ok"]]
    found = f"{len(rows) - len(failed)} of {len(rows)}"
    return found + (f" (not: {', '.join(failed)})" if failed else ""), bool(stage.get("ok"))


def _lines(stages: dict[str, Stage]) -> list[str]:
    machine = stages.get("machine", {})
    facts = [f"{k} {machine[k]}" for k in ("torch", "cuda", "driver", "python") if machine.get(k)]
    lines = [f"# GPU check: {machine.get('device', 'unknown device')}", "", ", ".join(facts), ""]
    rows = [(what, value, _VERDICTS[holds]) for what, value, holds in requirements(stages)]
    lines += _table(("requirement", "found", ""), rows)
    for name, stage in stages.items():
        if "error" in stage:
            lines += ["", f"Stage {name} failed: {stage['error']}"]
    lines += _timing(stages.get("timing", {})) + _sessions(stages.get("sessions", {}))
    for name in PARITY_STAGES:
        parity = [_parity_row(row) for row in stages.get(name, {}).get("rows", [])]
        if parity:
            lines += ["", f"## Parity: {name}", ""]
            lines += _table(("", "precision", "largest", "PSNR dB", "limit", ""), parity)
    return lines


def _parity_row(row: dict[str, Any]) -> tuple[str, ...]:
    largest = row.get("max_abs", row.get("max_levels", 0))
    psnr = f"{row['psnr_db']:.1f}" if "psnr_db" in row else ""
    return row["name"], row["precision"], f"{largest:.3g}", psnr, row["limit"], _VERDICTS[row["ok"]]


def _timing(stage: Stage) -> list[str]:
    if not stage.get("rows"):
        return []
    rows = [
        (
            row["precision"],
            row["execution"],
            "fast" if row["algebra"] else "plain",
            row["layout"].removeprefix("channels last: "),
            str(row["batch"]),
            f"{row['ms_per_frame']:.2f}",
            f"{row['tflops']:.0f}",
            f"{row['share_of_floor']:.0%}",
            "" if row["peak_memory_gb"] is None else f"{row['peak_memory_gb']:.1f}",
        )
        for row in sorted(
            stage["rows"], key=lambda r: (r["precision"], r["execution"], r["algebra"], r["batch"])
        )
    ]
    heads = ("precision", "execution", "network", "channels last", "batch", *_MEASURES)
    lines = ["", "## Warp and generator", "", *_table(heads, rows), ""]
    lines.append(f"TFLOP/s of the networks as they are written; floor: {FLOOR_MS:.2f} ms / time.")
    return lines + [f"Left out: {name}" for name in stage.get("skipped", [])]


def _sessions(stage: Stage) -> list[str]:
    rows = [
        (
            str(run["sessions"]),
            f"{run['seconds']:g}",
            *(f"{run[f'{name}_ms']:.1f}" for name in ("p50", "p95", "p99", "worst")),
            f"{run['mean_batch']:.1f}",
        )
        for run in stage.get("runs", [])
    ]
    if not rows:
        return []
    heads = ("sessions", "seconds", "p50 ms", "p95 ms", "p99 ms", "worst ms", "mean batch")
    return ["", "## Sessions", "", *_table(heads, rows)]


def _table(heads: tuple[str, ...], rows: list[Any]) -> list[str]:
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    return lines + [f"| {' | '.join(row)} |" for row in rows]
