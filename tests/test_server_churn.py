"""Two hundred sessions leave nothing behind, neither in the server nor in its worker."""

import asyncio
import re
from pathlib import Path

import httpx

from server.bench.server_process import ServerProcess, running_server
from tests.churn_fixtures import Churn, Usage
from tests.fake_engine import write_config
from tests.test_server_faults_stop import Traces

WARM_UP, SESSIONS = 40, 200
# The C library gives memory back when it likes: measured are 33 MiB after the first two hundred
# sessions and 7 after the next. A session that stayed would cost 1 MiB and more, each.
RESIDENT_TOLERANCE_MIB = 64.0
SPARE_THREADS = 8  # pools that had not needed all of theirs yet; a leak would be hundreds
SPARE_FILES = 2  # kept-alive connections of the test's own client
SHORT = {
    "VISAVIS_LIMITS__MAX_SESSIONS": "24",
    "VISAVIS_LIMITS__LOST_CLIENT_GRACE_S": "0.1",
    "VISAVIS_SECURITY__RATES__REQUESTS_PER_MINUTE": "0",
    "VISAVIS_SECURITY__RATES__SESSIONS_PER_MINUTE": "0",
    "VISAVIS_SECURITY__RATES__UPLOADS_PER_MINUTE": "0",
}


async def loop_tasks(server: ServerProcess) -> int:
    async with httpx.AsyncClient(base_url=server.url) as client:
        text = (await client.get("/metrics")).text
    found = re.search(r"^visavis_loop_tasks (\S+)", text, re.MULTILINE)
    assert found is not None
    return int(float(found[1]))


async def quiet(server: ServerProcess) -> int:
    """Wait until the event loop's tasks have become as few as they will; returns how many."""
    seen = [await loop_tasks(server)]
    while len(seen) < 4 or len(set(seen[-3:])) > 1:
        await asyncio.sleep(1.1)  # the figure is taken once a second
        seen.append(await loop_tasks(server))
    return seen[-1]


async def test_two_hundred_sessions_leave_nothing_behind(tmp_path: Path) -> None:
    with running_server(tmp_path, VISAVIS_ENGINE=str(write_config(tmp_path)), **SHORT) as server:
        worker = Traces.of(server, tmp_path / "none").children
        churn = Churn(server.url)
        await churn.run(WARM_UP)
        tasks = await quiet(server)
        before = [Usage.of(process) for process in (server.process.pid, *worker)]
        await churn.run(SESSIONS)
        tasks_after = await quiet(server)
        after = [Usage.of(process) for process in (server.process.pid, *worker)]
    assert tasks_after <= tasks
    for then, now in zip(before, after, strict=True):
        assert now.threads <= then.threads + SPARE_THREADS
        assert now.open_files <= then.open_files + SPARE_FILES
        assert now.resident_mib <= then.resident_mib + RESIDENT_TOLERANCE_MIB
