"""The same work on Ray Data, for folders that need more than one machine.

``OUT`` and the clips must lie where every machine of the cluster reads and writes them.
"""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from dit.preparation.clip import Job, prepare_clip
from dit.preparation.report import ClipReport
from dit.preparation.video import ClipFile
from models.errors import ConfigError

BLOCKS_PER_TASK = 4  # so that a few long clips do not keep one task busy at the end


def on_ray(job: Job, clips: list[ClipFile], processes: int) -> Iterator[ClipReport]:
    """``prepare_clip`` for every clip on a Ray cluster; on this machine when none is configured.

    In the order in which they are done; ``processes`` at a time. Raises ConfigError where Ray is
    not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise ConfigError("--ray needs Ray Data: pip install 'ray[data]'") from error
    if not ray.is_initialized():
        ray.init(log_to_driver=False)
    rows = [{"path": str(c.path), "source": c.source, "name": c.name} for c in clips]
    blocks = min(len(rows), BLOCKS_PER_TASK * processes)
    dataset = ray.data.from_items(rows, override_num_blocks=blocks)
    tasks = ray.data.TaskPoolStrategy(size=processes)
    for row in dataset.map(partial(_prepare_row, job), compute=tasks).iter_rows():
        yield ClipReport.from_dict(json.loads(row["report"]))


def _prepare_row(job: Job, row: dict[str, Any]) -> dict[str, str]:
    clip = ClipFile(Path(row["path"]), row["source"], row["name"])
    return {"report": json.dumps(prepare_clip(job, clip).as_dict())}
