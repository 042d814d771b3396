"""Other people's pages, and names that are not this server's."""

from typing import Any

import httpx
import pytest
from starlette.responses import PlainTextResponse

from server.api.origins import OriginGuard, host_name, same_place
from server.config.security import Security
from server.config.settings import Settings

KEYLESS = Settings(security=Security(allowed_hosts=["face.example"]))
WITH_KEYS = Settings(api_keys=["key"], security=Security(cors_origins=["https://shop.example"]))


async def status_of(settings: Settings, method: str = "POST", **headers: str) -> tuple[int, str]:
    guard = OriginGuard(PlainTextResponse("inside"), settings)
    transport = httpx.ASGITransport(guard)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:9995") as client:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await client.request(method, "/v1/sessions", headers=named)
    return answer.status_code, "" if answer.text == "inside" else answer.json()["code"]


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("http://127.0.0.1:9995", (200, "")),
        ("https://evil.example", (403, "forbidden_origin")),
        ("http://127.0.0.1:8080", (403, "forbidden_origin")),
        ("http://localhost:9995", (403, "forbidden_origin")),
        ("null", (403, "forbidden_origin")),
        ("", (403, "forbidden_origin")),
        ("http://127.0.0.1:9995.evil.example", (403, "forbidden_origin")),
    ],
)
async def test_a_keyless_server_is_for_its_own_page(origin: str, expected: tuple[int, str]) -> None:
    assert await status_of(KEYLESS, Origin=origin) == expected
    assert await status_of(KEYLESS, "GET", Origin=origin) == expected


async def test_programs_send_no_origin_and_pass() -> None:
    assert await status_of(KEYLESS) == (200, "")


async def test_the_browser_s_word_that_it_is_the_same_origin_counts() -> None:
    """A proxy that changes the Host header would otherwise lock its own page out."""
    headers = {"Origin": "https://face.example", "Sec-Fetch-Site": "same-origin"}
    assert await status_of(KEYLESS, **headers) == (200, "")
    assert (await status_of(KEYLESS, **headers | {"Sec-Fetch-Site": "cross-site"}))[0] == 403


@pytest.mark.parametrize(
    ("host", "accepted"),
    [
        ("127.0.0.1:9995", True),
        ("localhost:9995", True),
        ("LOCALHOST", True),
        ("visavis.localhost:9995", True),
        ("[::1]:9995", True),
        ("192.168.1.7:9995", True),  # an address cannot be rebound
        ("face.example", True),
        ("evil.example:9995", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("", False),
        ("[", False),
    ],
)
async def test_a_keyless_server_answers_to_its_own_names(host: str, accepted: bool) -> None:
    expected = (200, "") if accepted else (403, "forbidden_host")
    assert await status_of(KEYLESS, Host=host) == expected


async def test_with_keys_any_name_will_do_and_listed_pages_may_call() -> None:
    assert await status_of(WITH_KEYS, Host="visavis.example") == (200, "")
    assert await status_of(WITH_KEYS, Origin="https://shop.example") == (200, "")
    assert await status_of(WITH_KEYS, Origin="https://evil.example") == (403, "forbidden_origin")


async def test_a_websocket_of_another_page_is_refused_before_it_opens() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "websocket",
        "path": "/v1/sessions/s_1/stream",
        "headers": [(b"host", b"localhost"), (b"origin", b"https://evil.example")],
        "extensions": {},
    }
    await OriginGuard(PlainTextResponse("inside"), KEYLESS)(scope, None, send)  # type: ignore[arg-type]
    assert sent == [{"type": "websocket.close", "code": 1008}]
    sent.clear()
    scope["extensions"] = {"websocket.http.response": {}}
    await OriginGuard(PlainTextResponse("inside"), KEYLESS)(scope, None, send)  # type: ignore[arg-type]
    assert sent[0]["type"] == "websocket.http.response.start"
    assert sent[0]["status"] == 403


@pytest.mark.parametrize(
    ("host", "name"),
    [("a.b:80", "a.b"), ("A.B", "a.b"), ("localhost.", "localhost"), ("[::1]:1", "::1"), ("]", "")],
)
def test_a_host_header_s_name(host: str, name: str) -> None:
    assert host_name(host) == name


@pytest.mark.parametrize(
    ("origin", "host", "expected"),
    [
        ("https://a.example", "a.example", True),
        ("https://a.example:444", "a.example:444", True),
        ("https://a.example:444", "a.example", False),
        ("https://a.example:x", "a.example", False),
        ("file://", "", False),
    ],
)
def test_same_place(origin: str, host: str, expected: bool) -> None:
    assert same_place(origin, host) is expected
