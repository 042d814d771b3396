"""The summary page of a run: what was kept, what was not and why; one HTML file by itself."""

import html
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from dit.preparation.report import ClipReport, StretchReport, Totals
from dit.preparation.settings import PrepareSettings

PAGE_FILE = "index.html"
MOST_FACES = 120  # of each kind; a page of a thousand clips must still open
MOST_BROKEN = 200
BINS = 24
WIDTH_PX, HEIGHT_PX, BASE_PX = 264, 84, 16
FIGURES = {
    "seconds": "length, s",
    "face_px": "face height, px",
    "yaw_deg": "head turn, ° (95 %)",
    "pitch_deg": "head nod, ° (95 %)",
    "sharpness": "sharpness",
    "jitter": "landmark jitter",
    "lip_movement": "lip movement",
    "speech": "share of speech",
}
_STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#5b6672;--line:#d7dce1;--paper:#fff;
--kept:#2f7d5b;--left:#b5532a}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ec;--soft:#9aa5b1;--line:#3a424b;
--paper:#15191d;--kept:#5cb98f;--left:#e08a5f}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:1180px;
margin:2rem auto;padding:0 1.2rem}
h1{font-size:1.5rem;margin:0 0 .2rem}h2{font-size:1.1rem;margin:2rem 0 .6rem}
p{margin:.2rem 0;color:var(--soft)}
.figures{display:flex;flex-wrap:wrap;gap:2.2rem;margin:1.2rem 0}
.figures b{display:block;font-size:1.6rem;line-height:1.2;font-variant-numeric:tabular-nums}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(264px,1fr));gap:1.2rem}
.faces{display:grid;grid-template-columns:repeat(auto-fill,minmax(148px,1fr));gap:1rem}
figure{margin:0;font-size:.8rem;line-height:1.35;color:var(--soft);overflow-wrap:anywhere}
figure img{height:96px;border-radius:4px;display:block;margin-bottom:.3rem}
figcaption b{color:var(--ink);font-weight:600}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
td,th{padding:.25rem 1.2rem .25rem 0;border-bottom:1px solid var(--line);text-align:left}
svg{display:block}svg text{fill:var(--soft);font-size:11px}
.kept{fill:var(--kept)}.left{fill:var(--left)}i.kept{color:var(--kept)}i.left{color:var(--left)}
i{font-style:normal;font-weight:600}
"""


@dataclass
class _Seen:
    """What the page needs of all reports, gathered while they pass by."""

    kept: list[StretchReport] = field(default_factory=list)  # the first few
    left_out: list[StretchReport] = field(default_factory=list)
    broken: list[ClipReport] = field(default_factory=list)
    figures: dict[str, tuple[list[float], list[float]]] = field(
        default_factory=lambda: {name: ([], []) for name in FIGURES}
    )  # of kept and of left out stretches

    def add(self, clip: ClipReport) -> None:
        if clip.error is not None and len(self.broken) < MOST_BROKEN:
            self.broken.append(clip)
        for stretch in clip.stretches:
            few = self.kept if stretch.kept else self.left_out
            if len(few) < MOST_FACES:
                few.append(stretch)
            for name, (kept, left_out) in self.figures.items():
                (kept if stretch.kept else left_out).append(stretch.figures[name])


def write_page(
    out: Path, settings: PrepareSettings, totals: Totals, clips: Iterable[ClipReport]
) -> None:
    """Write ``OUT/index.html``."""
    seen = _Seen()
    for clip in clips:
        seen.add(clip)
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>Prepared clips</title>",
        "<meta name=viewport content='width=device-width,initial-scale=1'>",
        f"<style>{_STYLE}</style>",
        f"<h1>Prepared clips</h1><p>motion of the engine {_text(settings.engine)}</p>",
        _headline(totals),
        _reasons(totals),
        _histograms(seen, totals),
        _faces("Left out", seen.left_out, totals.stretches - totals.kept),
        _faces("Kept", seen.kept, totals.kept),
        _broken(seen.broken, totals.broken),
    ]
    (out / PAGE_FILE).write_text("\n".join(parts) + "\n")


def _headline(totals: Totals) -> str:
    share = 100 * totals.kept_seconds / totals.seconds if totals.seconds else 0.0
    figures = {
        "clips": f"{totals.clips}",
        "minutes": f"{totals.seconds / 60:.1f}",
        "minutes kept": f"{totals.kept_seconds / 60:.1f}",
        "of the time kept": f"{share:.0f} %",
        "stretches kept": f"{totals.kept} of {totals.stretches}",
        "clips that cannot be read": f"{totals.broken}",
    }
    figures |= {
        f"minutes to {split}": f"{seconds / 60:.1f}"
        for split, seconds in sorted(totals.kept_seconds_by_split.items())
    }
    cells = "".join(f"<div><b>{value}</b>{_text(name)}</div>" for name, value in figures.items())
    return f"<div class=figures>{cells}</div>"


def _reasons(totals: Totals) -> str:
    if not totals.left_out_by_reason:
        return "<h2>Why stretches were left out</h2><p>None was.</p>"
    rows = "".join(
        f"<tr><td>{_text(reason)}<td>{count}"
        for reason, count in totals.left_out_by_reason.most_common()
    )
    return f"<h2>Why stretches were left out</h2><table><tr><th>reason<th>stretches{rows}</table>"


def _histograms(seen: _Seen, totals: Totals) -> str:
    charts = [_lag_chart(totals.lags)]
    charts += [_histogram(FIGURES[name], *values) for name, values in seen.figures.items()]
    legend = "<p><i class=kept>kept</i> and <i class=left>left out</i> stretches</p>"
    return f"<h2>Figures</h2>{legend}<div class=grid>{''.join(charts)}</div>"


def _histogram(title: str, kept: list[float], left_out: list[float]) -> str:
    values = np.array(kept + left_out)
    if not len(values):
        return ""
    low, high = float(values.min()), float(np.quantile(values, 0.99))
    edges = np.linspace(low, max(high, low + 1e-6), BINS + 1)
    counts = [np.histogram(np.minimum(v, edges[-1]), edges)[0] for v in (kept, left_out)]
    return _bars(title, counts[0].tolist(), counts[1].tolist(), f"{low:.3g}", f"{edges[-1]:.3g}")


def _lag_chart(lags: Mapping[int, int]) -> str:
    if not lags:
        return ""
    most = max(3, *(abs(lag) for lag in lags))
    counts = [lags.get(lag, 0) for lag in range(-most, most + 1)]
    title = "sound was late by, frames (kept)"
    return _bars(title, counts, [0] * len(counts), f"−{most}", f"+{most}")


def _bars(title: str, kept: list[int], left_out: list[int], low: str, high: str) -> str:
    """Two series of counts stacked in one small chart."""
    step = WIDTH_PX / len(kept)
    tallest = max(1, *(a + b for a, b in zip(kept, left_out, strict=True)))
    shapes = []
    for place, counts in enumerate(zip(kept, left_out, strict=True)):
        top = float(HEIGHT_PX)
        for kind, count in zip(("kept", "left"), counts, strict=True):
            tall = (HEIGHT_PX - 4) * count / tallest
            top -= tall
            if count:
                at = f"x={place * step:.1f} y={top:.1f} width={step - 1:.1f} height={tall:.1f}"
                shapes.append(f"<rect class={kind} {at}><title>{count}</title></rect>")
    base = HEIGHT_PX + BASE_PX - 4
    texts = f"<text x=0 y={base}>{low}</text>"
    texts += f"<text x={WIDTH_PX} y={base} text-anchor=end>{high}</text>"
    size = f"width={WIDTH_PX} height={HEIGHT_PX + BASE_PX}"
    return f"<div>{_text(title)}<svg {size}>{''.join(shapes)}{texts}</svg></div>"


def _faces(title: str, stretches: list[StretchReport], count: int) -> str:
    if not stretches:
        return ""
    shown = f", the first {len(stretches)} of them" if len(stretches) < count else ""
    cards = "".join(map(_face, stretches))
    return f"<h2>{title}: {count} stretches{shown}</h2><div class=faces>{cards}</div>"


def _face(stretch: StretchReport) -> str:
    picture = f"<img alt='' src='data:image/jpeg;base64,{stretch.thumbnail}'>"
    lines = [f"<b>{_text(stretch.name)}</b>", f"{stretch.start_s:.1f}–{stretch.end_s:.1f} s"]
    if stretch.kept:
        lines.append(f"{stretch.split}, sound {stretch.lag_frames:+d} frames")
        lines.append(f"confidence {stretch.confidence:.1f}")
    else:
        lines += [f"<i class=left>{_text(reason)}</i>" for reason in stretch.reasons]
    return f"<figure>{picture}<figcaption>{'<br>'.join(lines)}</figcaption></figure>"


def _broken(clips: list[ClipReport], count: int) -> str:
    if not clips:
        return ""
    shown = f", the first {len(clips)} of them" if len(clips) < count else ""
    rows = "".join(f"<tr><td>{_text(c.source)}<td>{_text(c.error or '')}" for c in clips)
    return f"<h2>Clips that cannot be read: {count}{shown}</h2><table>{rows}</table>"


def _text(text: str) -> str:
    return html.escape(text)
