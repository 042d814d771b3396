"""A folder of clips -> a set of shards, a report and a summary page."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from dit.preparation.clip import Job, prepare_clip
from dit.preparation.on_ray import on_ray
from dit.preparation.page import write_page
from dit.preparation.pool import in_processes
from dit.preparation.report import ClipReport, Totals, write_report
from dit.preparation.shards import SHARD_BYTES, ShardWriter, read_tar
from dit.preparation.video import ClipFile, find_clips

_CRASHED = "the process that read it ended: a crash, or too little memory"


def prepare_folder(
    job: Job,
    clips_folder: Path,
    *,
    processes: int = 1,
    ray: bool = False,
    tar_bytes: int = SHARD_BYTES,
) -> Totals:
    """Prepare every clip that is not, and write ``OUT/shards``, ``report.json``, ``index.html``.

    A run that was stopped goes on, and ends as if it had not been. The results hold the clips that
    are in the folder now. Raises ClipError when there are none, and what ``clip.Tools`` raises.
    """
    clips = find_clips(clips_folder)
    job.out.mkdir(parents=True, exist_ok=True)
    broken = _prepare_all(job, clips, processes, ray)
    totals = write_report(job.out, job.settings, _reports(job, clips, broken))
    _forget_other_tracks(job, clips, broken)
    if job.encoder is not None:
        _pack(job, clips, broken, tar_bytes)
    write_page(job.out, job.settings, totals, _reports(job, clips, broken))
    return totals


def _prepare_all(
    job: Job, clips: list[ClipFile], processes: int, ray: bool
) -> dict[str, ClipReport]:
    """Do the work, show how far it is -> by name the clips that cannot be read."""
    from tqdm import tqdm

    broken, kept_s = dict[str, ClipReport](), 0.0
    if ray:
        done = on_ray(job, clips, processes)
    else:
        done = in_processes(partial(prepare_clip, job), clips, processes, _crashed)
    with tqdm(total=len(clips), unit="clip", desc="prepare") as bar:
        for report in done:
            if report.error is not None:
                broken[report.name] = report
            kept_s += sum(s.seconds for s in report.stretches if s.kept)
            bar.set_postfix_str(f"{kept_s / 60:.1f} min kept, {len(broken)} broken")
            bar.update()
    return broken


def _crashed(clip: ClipFile) -> ClipReport:
    return ClipReport(clip.name, clip.source, 0.0, 0.0, error=_CRASHED)


def _reports(
    job: Job, clips: list[ClipFile], broken: dict[str, ClipReport]
) -> Iterator[ClipReport]:
    """Every clip's report in the order of the clips, one in memory at a time."""
    for clip in clips:
        if clip.name in broken:
            yield broken[clip.name]
        else:
            note = (job.out / "stretches" / f"{clip.name}.json").read_text()
            yield ClipReport.from_dict(json.loads(note))


def _pack(job: Job, clips: list[ClipFile], broken: dict[str, ClipReport], tar_bytes: int) -> None:
    assert job.encoder is not None
    names = {"engine": job.settings.engine, "encoder": job.encoder.resolve().name}
    with ShardWriter(job.out / "shards", **names, tar_bytes=tar_bytes) as writer:
        for clip in clips:
            if clip.name not in broken:
                for shard in read_tar(job.out / "stretches" / f"{clip.name}.tar"):
                    writer.write(shard)


def _forget_other_tracks(job: Job, clips: list[ClipFile], broken: dict[str, ClipReport]) -> None:
    """Remove tracks that are no longer kept: whoever reads tracks reads the whole folder."""
    kept = {s.name for r in _reports(job, clips, broken) for s in r.stretches if s.kept}
    for path in (job.out / "tracks").glob("*.npz"):
        if path.stem not in kept:
            path.unlink()
