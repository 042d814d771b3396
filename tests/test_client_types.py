"""The browser client's JSDoc types hold under TypeScript's strict checks."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

WEB = Path(__file__).resolve().parent.parent / "client" / "web"


@pytest.fixture(scope="module")
def tsc() -> list[str]:
    """The pinned compiler, installed from the lock file when it is not there yet."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("Node is not installed; it is only needed to check the client's types")
    compiler = WEB / "node_modules" / "typescript" / "bin" / "tsc"
    if not compiler.is_file():
        installed = subprocess.run([npm, "ci"], cwd=WEB, capture_output=True, text=True)
        if installed.returncode != 0:
            pytest.skip(f"the TypeScript compiler cannot be installed: {installed.stderr[-300:]}")
    return [node, str(compiler)]


def test_types_hold(tsc: list[str]) -> None:
    done = subprocess.run([*tsc, "--project", "."], cwd=WEB, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_a_wrong_type_is_found(tsc: list[str], tmp_path: Path) -> None:
    """The check itself works: without checkJs it would pass anything."""
    config = json.loads((WEB / "tsconfig.json").read_text())
    (tmp_path / "tsconfig.json").write_text(json.dumps(config))
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    (scripts / "wrong.js").write_text("/** @type {number} */\nexport const count = 'three';\n")
    done = subprocess.run([*tsc, "--project", "."], cwd=tmp_path, capture_output=True, text=True)
    assert "TS2322" in done.stdout


def test_page_loads_nothing_from_elsewhere() -> None:
    """No content network, no remote font: every address in the page is its own."""
    pages = [*WEB.glob("*.html"), *WEB.glob("examples/*"), WEB / "visavis-avatar.js"]
    for file in [*pages, *WEB.glob("styles/*.css"), *WEB.glob("scripts/**/*.js")]:
        addresses = re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"')]*", file.read_text())
        assert [a for a in addresses if not a.startswith("http://www.w3.org/")] == [], file.name


def test_lock_file_names_no_registry() -> None:
    """Everyone installs from the registry that their own npm is set to."""
    lock = json.loads((WEB / "package-lock.json").read_text())
    assert all("resolved" not in package for package in lock["packages"].values())
    assert "node_modules/typescript" in lock["packages"]


def test_files_stay_small() -> None:
    for script in [*WEB.glob("scripts/**/*.js"), *WEB.glob("styles/*.css")]:
        assert len(script.read_text().splitlines()) <= 300, script.name
