"""What keeps ``python -m server serve`` from starting is told in one line, with exit code 1."""

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from server.config.settings import ROOT
from tests.fake_engine import write_config as fake_config
from tests.faulty_engine import DIES_LOADING, write_config

WITHIN_S = 120.0


def serve(folder: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    """Exit code and everything that a server said which does not get to run."""
    process = subprocess.run(
        [sys.executable, "-m", "server", "serve", *arguments],
        cwd=ROOT,
        env=environment_of(folder, **environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    return process.returncode, process.stdout


def environment_of(folder: Path, **more: str) -> dict[str, str]:
    storage = str(folder / "storage")
    return {**os.environ, "VISAVIS_PORT": "0", "VISAVIS_STORAGE__FOLDER": storage, **more}


def refusal(outcome: tuple[int, str]) -> str:
    """The one line that says why; nothing else is said but what the log has."""
    code, said = outcome
    assert code == 1, said
    assert "Traceback" not in said
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, said
    assert said.rstrip().endswith(errors[0])
    return errors[0]


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = refusal(serve(tmp_path, VISAVIS_PORT=str(port)))
    assert said == f"error: cannot listen on 127.0.0.1:{port}: Address already in use"


def test_a_setting_that_does_not_exist(tmp_path: Path) -> None:
    config = tmp_path / "settings.yaml"
    config.write_text("limits: {max_sesions: 3}\n")
    said = refusal(serve(tmp_path, "--config", str(config)))
    assert said == ("error: bad settings: limits.max_sesions: Extra inputs are not permitted")


def test_settings_that_are_no_yaml(tmp_path: Path) -> None:
    config = tmp_path / "settings.yaml"
    config.write_text("limits: [\n")
    said = refusal(serve(tmp_path, "--config", str(config)))
    assert str(config) in said


def test_a_storage_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = refusal(serve(tmp_path, VISAVIS_STORAGE__FOLDER=str(tmp_path / "file" / "storage")))
    assert str(tmp_path / "file") in said
    assert "VISAVIS_STORAGE__FOLDER" in said


def remove(file: Path) -> None:
    file.unlink()


def halve(file: Path) -> None:
    data = file.read_bytes()
    file.unlink()  # a link: what it leads to stays whole
    file.write_bytes(data[: len(data) // 2])


def falsify(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.unlink()
    file.write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "file", "says"),
    [
        (remove, "motion/lite/config.json", "is missing"),
        (halve, "motion/lite/model.safetensors", "bytes, not"),
        (falsify, "encoder-moonshine/model.safetensors", "another sha256"),
    ],
)
def test_weights_that_are_missing_or_damaged(
    tmp_path: Path, damage: Callable[[Path], None], file: str, says: str
) -> None:
    weights = tmp_path / "weights"
    shutil.copytree(ROOT / "weights", weights, copy_function=os.symlink)
    damage(weights / file)
    text = (ROOT / "configs" / "engine" / "lite.yaml").read_text()
    engine = tmp_path / "lite.yaml"
    engine.write_text(text.replace(": weights", f": {weights}"))
    said = refusal(serve(tmp_path, "--engine", str(engine)))
    assert str(weights / file) in said
    assert says in said
    assert "git checkout -- weights/" in said


def test_an_engine_that_dies_at_every_start(tmp_path: Path) -> None:
    (tmp_path / DIES_LOADING).touch()
    code, said = serve(tmp_path, "--engine", str(write_config(tmp_path)))
    assert code == 1
    assert said.rstrip().endswith(
        "error: the engine died 3 times in a row while loading;"
        " its last words: RuntimeError: this engine was told to die"
    )


async def test_a_full_disk_for_the_log_keeps_nobody_from_starting(tmp_path: Path) -> None:
    port = free_port()
    with Path("/dev/full").open("wb") as full:  # a disk without room: every write to it fails
        process = subprocess.Popen(
            [sys.executable, "-m", "server", "serve", "--engine", str(fake_config(tmp_path))],
            cwd=ROOT,
            env=environment_of(tmp_path, VISAVIS_PORT=str(port), VISAVIS_LIMITS__DRAIN_S="0"),
            stdout=full,
            stderr=full,
        )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            await ready(client, process)
            answer = await client.post("/v1/sessions", json={"avatar_id": "anna"})
            assert answer.status_code == 201, answer.text
    finally:
        process.terminate()
        process.wait(30)


async def ready(client: httpx.AsyncClient, process: "subprocess.Popen[bytes]") -> None:
    """Wait for the engine."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            assert process.poll() is None
            with contextlib.suppress(httpx.HTTPError):
                if (await client.get("/readyz")).status_code == 200:
                    return
            await asyncio.sleep(0.1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
