"""The figures for people (Markdown) and for programs (JSON)."""

import json
from dataclasses import asdict
from pathlib import Path

from dit.evaluation.joints import BorderRatios
from dit.evaluation.lips import LipSummary
from dit.evaluation.liveliness import Blinks, HeadMotion
from dit.evaluation.run import Evaluation
from dit.evaluation.stage_times import StageTimes

REPORT_FILE, FIGURES_FILE = "EVALUATION.md", "evaluation.json"


def markdown(evaluations: list[Evaluation], times: StageTimes | None, command: str) -> str:
    """The report of one checkpoint; ``times`` may not have been measured."""
    first = evaluations[0]
    head = [
        "# Evaluation",
        "",
        f"Written by `{command}`: {len(first.clips)} clips of the {first.split} split, of people",
        "who were never trained on. Median over clips, quartiles in brackets.",
    ]
    parts = [head, _lips(evaluations), _events(evaluations), _liveliness(evaluations)]
    parts += [_streams(evaluations), [] if times is None else _times(times), _clips(first)]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def write_report(
    evaluations: list[Evaluation], times: StageTimes | None, folder: Path, command: str
) -> None:
    """``EVALUATION.md`` and ``evaluation.json`` into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / REPORT_FILE).write_text(markdown(evaluations, times, command))
    figures = {
        "command": command,
        "evaluations": [asdict(one) for one in evaluations],
        "stage_times": None if times is None else asdict(times),
    }
    (folder / FIGURES_FILE).write_text(json.dumps(figures, indent=1) + "\n")


def _table(header: list[str], rows: list[list[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]


def _lips(evaluations: list[Evaluation]) -> list[str]:
    rows = []
    for measure in ("gap", "width"):
        for one in evaluations:
            fit: LipSummary = getattr(one, measure)
            rows.append(
                [
                    f"{measure}, {one.mode}",
                    *(str(spread) for spread in (fit.r, fit.lag_frames, fit.spread)),
                    f"{100 * fit.error.median:.1f} %",
                ]
            )
        base: LipSummary = getattr(evaluations[0], measure)
        error = f"{100 * base.still_error.median:.1f} %"
        rows.append([f"{measure}, loudness alone", str(base.loudness_r), "", "", ""])
        rows.append([f"{measure}, another clip's mouth", str(base.other_clip_r), "", "", ""])
        rows.append([f"{measure}, a still face", "0", "", "0", error])
    return [
        "## Lips against truth",
        "",
        "Pearson r at the best lag within 2 frames (positive: the generated mouth is late); spread",
        "generated over true; mean error in parts of the distance between the outer eye corners.",
        "",
        *_table(["", "r", "lag, frames", "spread", "error"], rows),
    ]


def _events(evaluations: list[Evaluation]) -> list[str]:
    known = [(one.mode, one.events) for one in evaluations if one.events is not None]
    if not known:
        return []
    rows = [
        [mode, *(f"{value:.0%}" for value in (e.closures_shut, e.vowels_open, e.silence_shut))]
        for mode, e in known
    ]
    events = known[0][1]
    return [
        "## Sounds and silence",
        "",
        f"On unseen synthetic speech: {events.closures} closures, {events.vowels} open vowels,",
        f"{events.silent_frames} silent frames (gap under 3 % of the eye distance).",
        "",
        *_table(["", "/p b m/ shut", "open vowels open", "silence shut"], rows),
    ]


def _liveliness(evaluations: list[Evaluation]) -> list[str]:
    first = evaluations[0]
    blinks = [(one.mode, one.blinks) for one in evaluations] + [("real clips", first.real_blinks)]
    heads = [(one.mode, one.head) for one in evaluations] + [("real clips", first.real_head)]
    names = [name for name, _ in heads]
    return [
        "## Blinks and head",
        "",
        *_table(
            ["", "blinks a minute", "seconds between", "ms half shut", "double"],
            [[name, *_blink_cells(blink)] for name, blink in blinks],
        ),
        "",
        "Head: root mean square in degrees by band, and mean absolute jerk in degrees/s^3 (after a",
        "five-frame filter, because a tracked head also carries the tracker's noise).",
        "",
        *_table(["", *names], _head_rows([head for _, head in heads])),
    ]


def _blink_cells(blinks: Blinks) -> list[str]:
    length = blinks.length_ms
    lengths = f"{length.median:.0f} ({length.low:.0f} to {length.high:.0f})"
    double = f"{blinks.double_share:.0%}" if blinks.between_s.count else "-"
    return [f"{blinks.per_minute:.1f}", str(blinks.between_s), lengths, double]


def _head_rows(heads: list[HeadMotion]) -> list[list[str]]:
    rows = [
        [band, *(str(head.band_rms_deg[band]) for head in heads)] for band in heads[0].band_rms_deg
    ]
    for axis in heads[0].jerk_deg_s3:
        cells = [head.jerk_deg_s3[axis] for head in heads]
        rows.append(
            [f"{axis} jerk", *(f"{c.median:.0f} ({c.low:.0f} to {c.high:.0f})" for c in cells)]
        )
    return rows


def _streams(evaluations: list[Evaluation]) -> list[str]:
    first = evaluations[0]
    rows = [
        [f"{one.mode}, hop {one.hop_frames}", *_border_cells(one.borders)] for one in evaluations
    ]
    lines = [
        f"## A stream of {first.long_minutes:g} minutes",
        "",
        "Movement at hop borders over that elsewhere; 1 is a joint that does not show.",
        "",
        *_table(
            ["", "mouth velocity", "mouth acceleration", "head velocity", "head acceleration"],
            rows,
        ),
    ]
    if first.drift is None:
        return lines
    slopes = [
        [one.mode, *(f"{s:+.3f}" for s in one.drift.pose_deg_per_minute)]
        + [f"{100 * s:+.3f}" for s in one.drift.lips_per_minute]
        for one in evaluations
        if one.drift is not None
    ]
    header = ["", "pitch", "yaw", "roll", "lip gap", "lip width"]
    return [
        *lines,
        "",
        "Drift a minute: slope of the minutes' means, degrees and percent of the eye distance.",
        "",
        *_table(header, slopes),
    ]


def _border_cells(borders: BorderRatios) -> list[str]:
    ratios = (
        borders.mouth_velocity,
        borders.mouth_acceleration,
        borders.head_velocity,
        borders.head_acceleration,
    )
    return [f"{ratio:.2f}" for ratio in ratios]


def _times(times: StageTimes) -> list[str]:
    cells = [f"{ms:.1f}" for ms in (times.encoder_ms, times.planner_ms, times.compose_ms)]
    return [
        "## Milliseconds a stage",
        "",
        f"One live hop of {times.hop_frames} frames, median, on the machine that wrote this.",
        "",
        *_table(["encoder", "planner", "compose"], [cells]),
    ]


def _clips(one: Evaluation) -> list[str]:
    rows = [
        [c.name]
        + [f"{f.r:.2f} ({f.loudness_r:.2f}) {f.lag_frames:+d}" for f in (c.gap, c.width)]
        + [f"{c.gap.spread:.2f}"]
        for c in one.clips
    ]
    return [
        f"## Clip by clip, {one.mode}",
        "",
        "r, in brackets loudness alone, then the lag in frames.",
        "",
        *_table(["clip", "lip gap", "lip width", "spread of the gap"], rows),
    ]
