"""The table of bad inputs: every row is sent to a running server, which lives on."""

import asyncio
import contextlib
import json
import re
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from server.api.openapi import TAKES_ADDRESSES
from server.app import create_app
from server.config.settings import ROOT, Settings
from tests.bad_inputs import CALLS, EVENTS, BadEvent, BadInput
from tests.server_fixtures import FakeServer, started_session
from tests.test_server_api import check_alive, check_problem

README = ROOT / "server" / "README.md"


@pytest.mark.parametrize("row", CALLS, ids=lambda row: row.what)
async def test_a_call(fake_server: FakeServer, row: BadInput) -> None:
    async with started_session(fake_server) as (client, session):
        check_problem(await row.send(client, session["id"]), row.status, row.code)
        assert (await client.get(f"/v1/sessions/{session['id']}")).status_code == 200
        await check_alive(client)


@pytest.mark.parametrize("row", EVENTS, ids=lambda row: row.what)
async def test_an_event(fake_server: FakeServer, row: BadEvent) -> None:
    async with started_session(fake_server) as (client, session):
        url = fake_server.url.replace("http", "ws", 1) + session["urls"]["stream"]
        async with connect(url) as socket, asyncio.timeout(20):
            with contextlib.suppress(ConnectionClosed):  # before all was sent, perhaps
                for frame in row.frames:
                    await socket.send(frame)
                while row.answer.startswith("closed"):
                    await socket.recv()
            if row.answer.startswith("closed"):
                assert f"closed {socket.close_code}" == row.answer
            else:
                await expect_error(socket, row.answer)
        assert (await client.get(f"/v1/sessions/{session['id']}")).status_code == 200


async def expect_error(socket: Any, code: str) -> None:
    while (event := json.loads(await socket.recv()))["type"] != "error":
        pass
    assert event["code"] == code
    assert event["message"]


def test_the_readme_s_table_is_this_one() -> None:
    calls = [f"| {row.what} | {row.status} | `{row.code}` |" for row in CALLS]
    events = [f"| {row.what} | {answer_of(row)} |" for row in EVENTS]
    text = README.read_text()
    told = re.split(r"(?m)^## ?#? ", text[text.index("### Bad inputs") + 4 :])[0]
    rows = [line for line in told.splitlines() if line.startswith("| ") and "---" not in line]
    assert rows == ["| input | status | code |", *calls, "| frame | answer |", *events]


def answer_of(row: BadEvent) -> str:
    return row.answer if row.answer.startswith("closed") else f"`error` event, `{row.answer}`"


ADDRESS_WORDS = ("url", "uri", "href", "host", "address", "callback", "webhook", "endpoint", "src")


def test_no_field_takes_an_address_to_be_fetched() -> None:
    """The server calls nobody whom a client names, but receivers that the operator listed."""
    text = create_app(Settings()).openapi()
    found = {name for name in field_names(text) if looks_like_address(name)}
    assert found == TAKES_ADDRESSES


def looks_like_address(name: str) -> bool:
    return any(word in name.rpartition(".")[2].lower() for word in ADDRESS_WORDS)


def field_names(text: dict[str, Any]) -> set[str]:
    """Everything that a client can fill in: parameters, and fields of bodies."""
    names: set[str] = set()
    for methods in text["paths"].values():
        for operation in methods.values():
            names |= {item["name"] for item in operation.get("parameters", [])}
            for content in operation.get("requestBody", {}).get("content", {}).values():
                names |= inside(content["schema"], text, "", frozenset())
    return names


def inside(schema: Any, text: dict[str, Any], owner: str, seen: frozenset[str]) -> set[str]:
    """Names of a schema's fields, and of those within, as ``Owner.field``."""
    if isinstance(schema, list):
        return {name for item in schema for name in inside(item, text, owner, seen)}
    if not isinstance(schema, dict):
        return set()
    if (reference := schema.get("$ref")) is not None:
        name = reference.rpartition("/")[2]
        if name in seen:
            return set()
        return inside(text["components"]["schemas"][name], text, name, seen | {name})
    names = {f"{owner}.{name}" for name in schema.get("properties", {})}
    uris = schema.get("format") in ("uri", "url", "hostname")
    names |= {f"{owner}.url"} if uris else set()
    for key, value in schema.items():
        held = list(value.values()) if key == "properties" else value
        names |= inside(held, text, owner, seen)
    return names
