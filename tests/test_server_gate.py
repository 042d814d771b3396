"""Keys, owners and rates on a running server that has two keys and little patience."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from server.api.access import owner_of, same_secret
from server.config.security import Rates, Security
from tests.server_fixtures import FakeServer, make_settings, run_fake_server
from tests.test_server_api import check_problem

OURS, THEIRS = "key-of-ours", "key-of-theirs"
UPLOADS, WRONG = 4, 3  # that may come at once


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeServer]:
    rates = Rates(
        requests_per_minute=0,
        sessions_per_minute=0,
        uploads_per_minute=4 * UPLOADS,
        wrong_keys_per_minute=4 * WRONG,
    )
    security = Security(rates=rates, cors_origins=["https://shop.example"])
    folder = tmp_path_factory.mktemp("gate")
    settings = make_settings(folder, api_keys=[OURS, THEIRS], security=security)
    with run_fake_server(settings) as running:
        yield running


async def started(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.post("/v1/sessions", json={"avatar_id": "anna"})
    assert answer.status_code == 201, answer.text
    session: dict[str, Any] = answer.json()
    return session


async def test_a_session_of_another_key_is_as_if_it_were_not_there(server: FakeServer) -> None:
    async with server.client(OURS) as ours, server.client(THEIRS) as theirs:
        session = await started(ours)
        path = f"/v1/sessions/{session['id']}"
        assert (await theirs.get("/v1/sessions")).json() == {"sessions": []}
        for method, where in (
            ("GET", path),
            ("DELETE", path),
            ("POST", f"{path}/interrupt"),
            ("GET", f"{path}/whep"),
        ):
            check_problem(await theirs.request(method, where), 404, "not_found")
        unknown = await theirs.get("/v1/sessions/s_0")
        told = (await theirs.get(path)).json()["detail"]
        assert told == unknown.json()["detail"].replace("s_0", session["id"])
        assert len((await ours.get("/v1/sessions")).json()["sessions"]) == 1
        assert (await ours.delete(path)).status_code == 204


async def opened_as(server: FakeServer, session_id: str, **how: Any) -> str | None:
    """The subprotocol of the socket that opened; raises ConnectionClosed."""
    url = server.url.replace("http", "ws", 1) + f"/v1/sessions/{session_id}/stream"
    async with connect(url + how.pop("query", ""), **how) as socket, asyncio.timeout(20):
        assert json.loads(await socket.recv())["type"] == "session.ready"
        return socket.subprotocol


async def test_a_token_need_not_stand_in_the_address(server: FakeServer) -> None:
    async with server.client(OURS) as ours:
        session = await started(ours)
        token, place = session["token"], session["id"]
        protocols = ["visavis.v1", f"bearer.{token}"]
        assert await opened_as(server, place, subprotocols=protocols) == "visavis.v1"
        header = {"Authorization": f"Bearer {token}"}
        assert await opened_as(server, place, additional_headers=header) is None
        assert await opened_as(server, place, query=f"?token={token}") is None
        key = {"Authorization": f"Bearer {OURS}"}
        assert await opened_as(server, place, additional_headers=key) is None
        theirs = {"Authorization": f"Bearer {THEIRS}"}
        with pytest.raises(ConnectionClosed, match="1008"):
            await opened_as(server, place, additional_headers=theirs)
        await ours.delete(f"/v1/sessions/{place}")
        with pytest.raises(ConnectionClosed, match="1008"):
            await opened_as(server, place, additional_headers=key)


async def test_a_socket_of_another_page_does_not_open(server: FakeServer) -> None:
    async with server.client(OURS) as ours:
        session = await started(ours)
        query = f"?token={session['token']}"
        with pytest.raises(InvalidStatus) as refused:
            await opened_as(server, session["id"], query=query, origin="https://evil.example")
        assert refused.value.response.status_code == 403
        await opened_as(server, session["id"], query=query, origin="https://shop.example")
        await ours.delete(f"/v1/sessions/{session['id']}")


async def test_uploads_are_counted_for_each_key(server: FakeServer) -> None:
    files = {"image": ("x.png", b"no picture")}
    async with server.client(OURS) as ours, server.client(THEIRS) as theirs:
        for _ in range(UPLOADS):
            check_problem(await ours.post("/v1/avatars", files=files), 422, "not_an_image")
        answer = await ours.post("/v1/avatars", files=files)
        check_problem(answer, 429, "rate_limited")
        assert 1 <= int(answer.headers["retry-after"]) <= 4
        check_problem(await theirs.post("/v1/avatars", files=files), 422, "not_an_image")
        assert (await ours.get("/v1/avatars")).status_code == 200


async def test_a_listed_page_may_call_and_read_refusals(server: FakeServer) -> None:
    origin = {"Origin": "https://shop.example"}
    async with server.client(OURS) as client:
        asked = {"Access-Control-Request-Method": "POST"}
        asked |= {"Access-Control-Request-Headers": "authorization,content-type"}
        answer = await client.options("/v1/sessions", headers=origin | asked)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == origin["Origin"]
        assert "authorization" in answer.headers["access-control-allow-headers"].lower()
        assert "access-control-allow-credentials" not in answer.headers
        for path in ("/v1/server", "/v1/avatars/nobody", "/scripts/main.js"):
            answer = await client.get(path, headers=origin)
            assert answer.headers["access-control-allow-origin"] == origin["Origin"]
            assert "location" in answer.headers["access-control-expose-headers"].lower()
        answer = await client.options(
            "/v1/sessions", headers={"Origin": "https://x.example"} | asked
        )
        check_problem(answer, 403, "forbidden_origin")
        assert "access-control-allow-origin" not in answer.headers


async def test_after_too_many_wrong_keys_an_address_waits(server: FakeServer) -> None:
    """Last: from here on the right keys wait as well, or guessing would go on."""
    async with server.client("guess") as guesser, server.client(OURS) as ours:
        for _ in range(2 * WRONG):
            answer = await guesser.get("/v1/server")
            if answer.status_code == 429:
                break
        check_problem(answer, 429, "rate_limited")
        assert int(answer.headers["retry-after"]) >= 1
        check_problem(await ours.get("/v1/server"), 429, "rate_limited")
        assert (await ours.get("/livez")).status_code == 200


def test_an_owner_does_not_tell_the_key() -> None:
    assert owner_of(OURS) == owner_of(OURS) != owner_of(THEIRS)
    assert OURS not in owner_of(OURS)


@pytest.mark.parametrize(
    ("given", "same"), [("secret", True), ("Secret", False), ("", False), ("\u00e9\udcff", False)]
)
def test_secrets_are_compared_whole(given: str, same: bool) -> None:
    assert same_secret(given, "secret") is same
