"""The real server as a process of its own, on a free port, with its log in a file."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Loading and warming up on two busy cores; the first start also converts the networks.
READY_WITHIN_S = 240.0
STOP_WITHIN_S = 15.0


@dataclass(frozen=True)
class ServerProcess:
    """A server that has answered ``/readyz``."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def get(self, path: str) -> dict[str, object]:
        """The JSON answer of ``GET path``; raises urllib.error.HTTPError on a refusal."""
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            body: dict[str, object] = json.loads(answer.read())
            return body

    def kill(self) -> None:
        """Ends it at once and unasked, its worker too, as a power cut would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}:\n{_tail(log)}")
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.25)
    raise RuntimeError(f"the server was not ready within {READY_WITHIN_S:.0f} s:\n{_tail(log)}")


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-4000:]


@contextmanager
def running_server(folder: Path, **settings: str) -> Iterator[ServerProcess]:
    """Starts ``python -m server serve`` from the checkout; its log goes to ``folder``.

    ``settings``: environment variables, e.g. ``VISAVIS_ENGINE="lite"``.

    Raises RuntimeError with the end of the log when it does not become ready.
    """
    port = _free_port()
    log = folder / f"server-{port}.log"
    command = [sys.executable, "-m", "server", "serve", "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "VISAVIS_STORAGE__FOLDER": str(folder / "storage"), **settings},
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_ready(url, process, log)
        yield ServerProcess(url, process, log)
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
