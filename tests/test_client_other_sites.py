"""The component on a page of another site, which the server has been told of."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from server.config.security import Security
from tests.server_fixtures import KEY, UNLIMITED, FakeServer, make_settings, run_fake_server

pytestmark = pytest.mark.browser

PAGE = """<!doctype html><html lang="en"><title>Another site</title>
<script type="module" src="{server}/visavis-avatar.js"></script>
<visavis-avatar server="{server}/" session-id="{id}" token="{token}"></visavis-avatar></html>"""


class Quiet(SimpleHTTPRequestHandler):
    """Says nothing of the requests it serves."""

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def other_site(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Its address, and the folder that it serves."""
    folder = tmp_path / "site"
    folder.mkdir()
    site = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=site.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{site.server_port}", folder
    site.shutdown()
    thread.join()
    site.server_close()


@pytest.fixture
def server(tmp_path: Path, other_site: tuple[str, Path]) -> Iterator[FakeServer]:
    """With keys, and with the other site's address among its settings."""
    security = Security(cors_origins=[other_site[0]], rates=UNLIMITED)
    with run_fake_server(make_settings(tmp_path, security=security)) as running:
        yield running


def test_it_lives_there_with_nothing_but_a_token(
    browser_with_microphone: Any, server: FakeServer, other_site: tuple[str, Path]
) -> None:
    site, folder = other_site
    key = {"Authorization": f"Bearer {KEY}"}
    made = httpx.post(f"{server.url}/v1/sessions", json={"avatar_id": "anna"}, headers=key).json()
    names = {"server": server.url, "id": made["id"], "token": made["token"]}
    (folder / "index.html").write_text(PAGE.format(**names))
    page = browser_with_microphone.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(site)
    face = page.locator("visavis-avatar")
    face.evaluate("face => face.start()")
    speech_id = face.evaluate(
        """face => new Promise((resolve, reject) => {
             face.addEventListener("speechstart", (event) => resolve(event.detail.speechId));
             fetch(`${face.getAttribute("server")}samples/hello.wav`)
               .then((sound) => sound.blob()).then((blob) => face.speakAudio(blob)).catch(reject);
           })"""
    )
    assert speech_id.startswith("sp_")
    face.evaluate("face => face.stop()")
    assert errors == []
    page.close()
