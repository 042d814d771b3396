"""The studio's place in the server: waiting, reaching Gradio, who may enter, limits."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.responses import PlainTextResponse

from server.api.body_limit import BodyLimit
from server.config.settings import Limits, Settings, load_settings
from server.jobs.runner import JobRunner
from server.studio import host as studio_host
from server.studio.mount import StudioMount
from server.studio.parts import StudioParts


def make_app(monkeypatch: pytest.MonkeyPatch, settings: Settings, ready: threading.Event) -> Any:
    """The studio around a page that answers with the path it was asked for."""

    def build_host(parts: StudioParts, path: str) -> FastAPI:
        ready.wait(30)
        (parts.folder / "trace").write_text("a file of the page")
        inner, folders = FastAPI(), []

        @asynccontextmanager
        async def life(_: FastAPI) -> AsyncIterator[None]:
            folders.append(parts.folder)
            yield
            folders.append(parts.folder)

        built = FastAPI(lifespan=life)
        inner.add_api_route("/where", lambda: PlainTextResponse("the page"))
        built.mount(path, inner)
        built.state.folders = folders
        hosts.append(built)
        return built

    hosts: list[FastAPI] = []
    monkeypatch.setattr(studio_host, "build_host", build_host)
    studio = StudioMount(settings)

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        async with studio.running(JobRunner()):
            yield

    app = FastAPI(lifespan=life)
    studio.add_to(app)
    app.state.hosts = hosts
    return app


@asynccontextmanager
async def browsing(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://studio") as client,
    ):
        yield client


async def test_browsers_wait_on_a_small_page_and_then_reach_gradio(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ready = threading.Event()
    app = make_app(monkeypatch, Settings(), ready)
    async with browsing(app) as client:
        moved = await client.get("/studio")
        assert (moved.status_code, moved.headers["location"]) == (307, "studio/")
        waiting = await client.get("/studio/where", headers={"accept": "text/html"})
        assert "Opening the studio" in waiting.text
        ready.set()
        page = await client.get("/studio/where")  # not a page: waits itself
        assert page.text == "the page"
        assert "default-src 'self'" in page.headers["content-security-policy"]
        assert (await client.get("/studio/where", headers={"accept": "text/html"})).text == (
            "the page"
        )
        folder = app.state.hosts[0].state.folders[0]
        assert (folder / "trace").is_file()
    assert app.state.hosts[0].state.folders == [folder, folder]  # started and ended
    assert not folder.exists()


async def test_a_studio_that_cannot_be_built_says_so_and_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ready = threading.Event()
    ready.set()
    app = make_app(monkeypatch, Settings(), ready)
    good = studio_host.build_host

    def missing(parts: StudioParts, path: str) -> FastAPI:
        del parts, path
        raise ImportError("No module named 'gradio'")

    monkeypatch.setattr(studio_host, "build_host", missing)
    async with browsing(app) as client:
        refused = await client.get("/studio/where")
        assert refused.status_code == 503
        assert "No module named 'gradio'" in refused.text
        monkeypatch.setattr(studio_host, "build_host", good)
        assert (await client.get("/studio/where")).text == "the page"


async def test_where_keys_are_set_the_studio_is_no_open_door(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = make_app(monkeypatch, Settings(api_keys=["secret"]), threading.Event())
    async with browsing(app) as client:
        answer = await client.get("/studio/where")
    assert answer.status_code == 403
    assert answer.json()["code"] == "forbidden"
    assert app.state.hosts == []


@pytest.mark.parametrize(
    ("studio", "keys", "is_open"),
    [
        ("auto", [], True),
        ("auto", ["k"], False),
        ("on", ["k"], True),
        ("off", [], False),
    ],
)
def test_who_finds_the_studio_open(studio: Any, keys: list[str], is_open: bool) -> None:
    assert Settings(studio=studio, api_keys=keys).studio_open is is_open


def test_yaml_may_say_on_and_off_without_quotes(tmp_path: Path) -> None:
    config = tmp_path / "server.yaml"
    config.write_text("studio: off\n")
    assert load_settings(config).studio == "off"


async def test_uploads_to_the_studio_have_a_limit_of_their_own() -> None:
    async def read_all(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        await PlainTextResponse("read")(scope, receive, send)

    limited = BodyLimit(read_all, Limits(max_studio_upload_bytes=3_000_000))
    transport = httpx.ASGITransport(limited)
    async with httpx.AsyncClient(transport=transport, base_url="http://studio") as client:
        upload = "/studio/gradio_api/upload"
        assert (await client.post(upload, content=b"x" * 2_900_000)).text == "read"
        assert (await client.post(upload, content=b"x" * 3_100_000)).status_code == 413
        other = "/studio/gradio_api/queue/join"
        assert (await client.post(other, content=b"x" * 2_900_000)).status_code == 413
