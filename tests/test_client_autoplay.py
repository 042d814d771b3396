"""A browser as people have it: no sound before a click."""

import pytest

from tests.e2e.browser import chromium
from tests.e2e.client_page import ClientPages, wait_for_picture
from tests.server_fixtures import FakeServer

pytestmark = pytest.mark.browser


def test_a_browser_that_holds_the_sound_back_offers_to_hear(page_server: FakeServer) -> None:
    with chromium(microphone=False, plays_unasked=False) as strict:
        opened = ClientPages(strict, page_server.url)
        page = opened.open("/?avatar=anna&autostart=1&controls=0")
        wait_for_picture(page)
        page.get_by_test_id("hear").click()
        assert not page.get_by_test_id("hear").is_visible()
        assert not page.get_by_test_id("video").evaluate("video => video.muted")
        opened.close()
        assert opened.errors == []
