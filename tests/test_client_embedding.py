"""The face on other pages: by address, as a component, and alone for OBS."""

import time
from typing import Any

import httpx
import pytest

from tests.e2e.client_page import LIVE, ClientPages, wait_for_phase, wait_for_picture
from tests.server_fixtures import FakeServer

pytestmark = pytest.mark.browser


def sessions_of(server: FakeServer) -> list[Any]:
    found: list[Any] = server.app.state.context.sessions.all()
    return found


def test_an_address_starts_a_face_without_controls(
    pages: ClientPages, page_server: FakeServer
) -> None:
    page = pages.open(
        "/?avatar=clara&autostart=1&controls=0&voice_in=api&listen=events&background=%2300b140",
        viewport={"width": 500, "height": 400},
    )
    wait_for_phase(page, *LIVE)
    wait_for_picture(page)
    plan = sessions_of(page_server)[0].plan
    assert (plan.avatar.avatar_id, plan.voice_in, plan.listen) == ("clara", "api", "events")
    assert plan.output.background.colour == "#00b140"
    box = page.get_by_test_id("video").bounding_box()
    assert (box["width"], box["height"]) == (500, 400)
    for name in ("primary", "composer", "gallery", "theme"):
        assert not page.get_by_test_id(name).is_visible()


def test_without_controls_or_autostart_a_button_starts_it(pages: ClientPages) -> None:
    page = pages.open("/?controls=0&voice_in=api")
    page.get_by_role("button", name="Start").click()
    wait_for_phase(page, *LIVE)


def test_a_mistake_in_the_address_is_told_and_nothing_starts(
    pages: ClientPages, page_server: FakeServer
) -> None:
    page = pages.open("/examples/component.html")
    for query, words in {
        "avatar=nobody&autostart=1": "face that the address asks for is not on this server",
        "autostart=yes": "autostart=yes",
        "avtar=anna&autostart=1": "avtar=",
        "background=green": "Accepted: none, blur or a colour",
    }.items():
        page.goto(f"{pages.url}/?{query}")
        page.get_by_test_id("notice").get_by_text(words).wait_for()
    assert sessions_of(page_server) == []


def test_two_components_on_one_page(pages: ClientPages, page_server: FakeServer) -> None:
    """The example: text with captions on one, the other beside it, both ended."""
    page = pages.open("/examples/component.html")
    page.get_by_role("button", name="Start both").click()
    for name in ("first", "second"):
        page.locator(f"#{name}-state", has_text="idle").wait_for()
    assert {live.plan.avatar.avatar_id for live in sessions_of(page_server)} == {"anna", "bruno"}
    page.get_by_role("button", name="Say it").click()
    log = page.locator("#log")
    log.get_by_text('first caption {"speechId"').wait_for()
    page.locator("#first .caption", has_text="Good to see you.").wait_for()  # in its shadow
    log.get_by_text('"interrupted":false').wait_for()
    page.get_by_role("button", name="Play the sample").click()
    page.locator("#first-state", has_text="speaking").wait_for()
    page.get_by_role("button", name="Interrupt").click()
    log.get_by_text('"interrupted":true').wait_for()
    first = page.locator("#first")
    width, height = first.evaluate("face => [face.clientWidth, face.clientHeight]")
    assert width == height > 300
    assert page.locator("#second video").evaluate("video => video.muted")
    page.get_by_role("button", name="Stop both").click()
    page.locator("#second-state", has_text="ready").wait_for()
    deadline = time.monotonic() + 5
    while sessions_of(page_server) and time.monotonic() < deadline:
        page.wait_for_timeout(50)
    assert sessions_of(page_server) == []


def test_a_component_joins_a_session_of_the_pages_own_server(
    pages: ClientPages, page_server: FakeServer
) -> None:
    """The page holds the session's token; the microphone and the motion are its to give."""
    made = httpx.post(f"{page_server.url}/v1/sessions", json={"avatar_id": "elena"}).json()
    page = pages.open("/examples/component.html")
    page.evaluate(
        """async ([id, token]) => {
             const face = document.createElement("visavis-avatar");
             face.setAttribute("session-id", id);
             face.setAttribute("token", token);
             document.body.append(face);
             await face.start();
             face.setMotion({ head: 0.25 });
             await face.attachMicrophone(true);
           }""",
        [made["id"], made["token"]],
    )
    live = sessions_of(page_server)[0]
    assert live.session_id == made["id"]
    page.locator("visavis-avatar").last.evaluate("face => face.speak('Hello.')")
    assert live.session.levels.head == 0.25
    page.locator("visavis-avatar").last.evaluate("face => face.remove()")
    page.locator("visavis-avatar").nth(1).wait_for(state="attached")


def test_presenting_shows_nothing_but_the_picture(
    pages: ClientPages, page_server: FakeServer
) -> None:
    made = httpx.post(f"{page_server.url}/v1/sessions", json={"avatar_id": "hugo"}).json()
    page = pages.open(
        f"/present.html?session={made['id']}&background=%2300b140#token={made['token']}"
    )
    wait_for_picture(page)
    assert page.locator("body").inner_text().strip() == ""
    colour = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert colour == "rgb(0, 177, 64)"
    assert sessions_of(page_server)[0].connections.viewers == 1
    page.goto("about:blank")
    httpx.delete(f"{page_server.url}/v1/sessions/{made['id']}")


def test_presenting_waits_for_a_session_and_tells_a_bad_address(pages: ClientPages) -> None:
    page = pages.open("/present.html?session=s_not_there_yet")
    assert not page.get_by_test_id("mistake").is_visible()
    assert not page.get_by_test_id("video").is_visible()
    page = pages.open("/present.html?background=green")
    assert "session=" in page.get_by_test_id("mistake").inner_text()
