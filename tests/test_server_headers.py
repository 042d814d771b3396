"""What every answer tells browsers, and which files the page consists of."""

import re
from typing import Any

import httpx
import pytest
from starlette.responses import JSONResponse, PlainTextResponse

from server.api.headers import SecurityHeaders, page_policy
from server.api.page_files import is_served
from server.api.problems import CrashGuard
from server.app import WEB_CLIENT_DIR
from server.config.security import Security
from tests.server_fixtures import FakeServer

EVERYWHERE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "SAMEORIGIN",
}


@pytest.mark.parametrize(
    "path", ["/", "/scripts/main.js", "/nothing", "/livez", "/v1/server", "/v1/avatars/nobody"]
)
async def test_every_answer_has_them(fake_server: FakeServer, path: str) -> None:
    async with fake_server.client() as client:
        headers = (await client.get(path)).headers
    assert {name: headers[name] for name in EVERYWHERE} == EVERYWHERE
    assert "microphone=(self)" in headers["permissions-policy"]
    policy = headers["content-security-policy"]
    assert "unsafe" not in policy
    if path.startswith("/v1"):
        assert headers["cache-control"] == "no-store"
        assert "default-src 'none'" in policy


async def test_refusals_and_crashes_have_them_too(fake_server: FakeServer) -> None:
    async with fake_server.client(key="") as client:
        assert (await client.get("/v1/server")).headers["x-content-type-options"] == "nosniff"

    async def crash(*_: Any) -> None:
        raise RuntimeError("a secret of the inside")

    transport = httpx.ASGITransport(SecurityHeaders(CrashGuard(crash), Security()))
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        answer = await client.get("/v1/server")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "inside" not in answer.text
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"


async def test_a_page_that_may_be_embedded_says_by_whom() -> None:
    security = Security(embed_origins=["https://shop.example"])
    assert page_policy(security).endswith("frame-ancestors 'self' https://shop.example")
    guarded = SecurityHeaders(PlainTextResponse("page"), security)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(guarded), base_url="http://x"
    ) as client:
        headers = (await client.get("/")).headers
    assert "x-frame-options" not in headers
    assert "frame-ancestors 'self' https://shop.example" in headers["content-security-policy"]


async def test_what_an_answer_says_itself_stays() -> None:
    own = JSONResponse({}, headers={"Cache-Control": "private", "Content-Security-Policy": "mine"})
    guarded = SecurityHeaders(own, Security())
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(guarded), base_url="http://x"
    ) as client:
        headers = (await client.get("/v1/avatars/anna/image")).headers
    assert (headers["cache-control"], headers["content-security-policy"]) == ("private", "mine")


@pytest.mark.parametrize(
    "path",
    [
        "package.json",
        "package-lock.json",
        "tsconfig.json",
        ".npmrc",
        "node_modules/typescript/package.json",
        "scripts/.hidden.js",
        "scripts/notes.txt",
        "samples",
        "../../pyproject.toml",
    ],
)
async def test_what_is_not_the_browser_s_business(fake_server: FakeServer, path: str) -> None:
    assert not is_served(path)
    async with fake_server.client(key="") as client:
        assert (await client.get(f"/{path}")).status_code == 404


async def test_every_file_that_the_page_names_is_served(fake_server: FakeServer) -> None:
    page = (WEB_CLIENT_DIR / "index.html").read_text()
    named = set(re.findall(r'(?:src|href)="([^"#:]+\.\w+)"', page))
    scripts = {str(f.relative_to(WEB_CLIENT_DIR)) for f in WEB_CLIENT_DIR.glob("scripts/**/*.js")}
    samples = {str(f.relative_to(WEB_CLIENT_DIR)) for f in WEB_CLIENT_DIR.glob("samples/*")}
    assert {"scripts/main.js", "icon.svg"} <= named
    async with fake_server.client(key="") as client:
        for path in sorted(named | scripts | samples | {""}):
            assert (await client.get(f"/{path}")).status_code == 200, path


async def test_pages_that_load_scripts_from_elsewhere_are_off(fake_server: FakeServer) -> None:
    """FastAPI's own pages take theirs from a content delivery network."""
    async with fake_server.client() as client:
        for path in ("/docs", "/redoc"):
            assert (await client.get(path)).status_code == 404
