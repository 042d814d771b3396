"""What the page does when the way to the server breaks, or there is no place on it."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import httpx
import pytest

from tests.e2e.client_page import LIVE, ClientPages, wait_for_phase, wait_for_picture
from tests.server_fixtures import FakeServer

pytestmark = pytest.mark.browser


def on_the_loop(server: FakeServer, work: Coroutine[Any, Any, Any]) -> None:
    """Run ``work`` where the server runs."""
    asyncio.run_coroutine_threadsafe(work, server.loop).result(10)


def sessions_of(server: FakeServer) -> list[Any]:
    found: list[Any] = server.app.state.context.sessions.all()
    return found


def test_a_broken_connection_is_made_anew_and_the_session_is_kept(
    pages: ClientPages, page_server: FakeServer
) -> None:
    page = pages.open_gallery()
    page.get_by_test_id("sample").click()
    wait_for_picture(page)
    before = sessions_of(page_server)[0]
    held: list[Any] = []
    looked: list[bool] = []

    def hold(route: Any) -> None:  # or it would be back before anybody could look
        if looked:
            route.continue_()
        else:
            held.append(route)

    page.route("**/offer", hold)
    on_the_loop(page_server, before.connections._hang_up(before.connections._interactive))
    wait_for_phase(page, "reconnecting")
    assert page.get_by_test_id("state").inner_text() == "Reconnecting…"
    assert page.get_by_test_id("poster").is_visible()  # the last picture, not a black box
    looked.append(True)
    for route in held:
        route.continue_()
    wait_for_phase(page, *LIVE)
    wait_for_picture(page)
    assert [live.session_id for live in sessions_of(page_server)] == [before.session_id]


def test_a_session_that_is_gone_gives_way_to_a_new_one(
    pages: ClientPages, page_server: FakeServer
) -> None:
    page = pages.open_gallery()
    page.locator("#manner summary").click()
    page.locator("input[data-field=head]").fill("0.5")
    page.get_by_test_id("sample").click()
    wait_for_picture(page)
    before = sessions_of(page_server)[0]
    on_the_loop(
        page_server, page_server.app.state.context.sessions.end(before.session_id, "client_lost")
    )
    wait_for_phase(page, "reconnecting")
    wait_for_phase(page, *LIVE)
    after = sessions_of(page_server)[0]
    assert after.session_id != before.session_id
    assert after.plan.levels.head == 0.5


def test_a_session_that_was_ended_is_told_and_can_be_begun_again(
    pages: ClientPages, page_server: FakeServer
) -> None:
    page = pages.open_gallery()
    page.get_by_test_id("sample").click()
    wait_for_picture(page)
    live = sessions_of(page_server)[0]
    httpx.delete(f"{page_server.url}/v1/sessions/{live.session_id}")
    wait_for_phase(page, "lost")
    assert "ended elsewhere" in page.get_by_test_id("notice").inner_text()
    page.get_by_test_id("notice-action").click()
    wait_for_phase(page, *LIVE)


def test_waits_for_a_place_and_takes_it(pages: ClientPages, page_server: FakeServer) -> None:
    """Two places, both taken; the page asks again when the server said it may."""
    others = [
        httpx.post(f"{page_server.url}/v1/sessions", json={"avatar_id": "anna"}).json()["id"]
        for _ in range(2)
    ]
    page = pages.open_gallery()
    page.get_by_test_id("sample").click()
    wait_for_phase(page, "waiting")
    told = page.get_by_test_id("wait").inner_text()
    assert "All places on the server are taken. Next try in" in told
    page.get_by_test_id("wait-cancel").click()
    wait_for_phase(page, "ready")
    page.get_by_test_id("sample").click()
    wait_for_phase(page, "waiting")
    for session_id in others:
        httpx.delete(f"{page_server.url}/v1/sessions/{session_id}")
    wait_for_phase(page, *LIVE)
    assert not page.get_by_test_id("wait").is_visible()


def test_the_events_socket_comes_back_while_the_picture_goes_on(
    pages: ClientPages, page_server: FakeServer
) -> None:
    page = pages.open_gallery()
    page.locator("#events summary").click()
    page.get_by_test_id("sample").click()
    wait_for_picture(page)
    ready = page.locator("#events-body li b", has_text="session.ready")
    ready.first.wait_for()
    live = sessions_of(page_server)[0]
    for listener in list(live.session.events._listeners):
        # as to a reader that fell behind: the server closes its socket
        page_server.loop.call_soon_threadsafe(listener._queue.put_nowait, None)
    ready.nth(1).wait_for()
    assert page.evaluate("visavis.phase()") in LIVE
    assert [one.session_id for one in sessions_of(page_server)] == [live.session_id]
