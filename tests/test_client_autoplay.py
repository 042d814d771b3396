"""A browser as people have it: no sound before a click."""

import pytest

from tests.e2e.browser import chromium
from tests.e2e.client_page import end_sessions
from tests.server_fixtures import FakeServer

pytestmark = pytest.mark.browser


ADDRESS = "/?avatar=anna&autostart=1&controls=0"
# Playwright's own looks at a page count as its user's clicks: the page must say by itself.
TELL = """new MutationObserver(() => {
  if (document.documentElement.dataset.picture === "live") console.log("picture is live");
}).observe(document, { attributes: true, subtree: true, attributeFilter: ["data-picture"] });"""


def test_a_browser_that_holds_the_sound_back_offers_to_hear(page_server: FakeServer) -> None:
    with chromium(microphone=False, plays_unasked=False) as strict:
        page = strict.new_context().new_page()
        page.add_init_script(TELL)
        with page.expect_console_message(lambda message: "picture is live" in message.text):
            page.goto(page_server.url + ADDRESS)
        muted = page.get_by_test_id("video").evaluate("video => video.muted")
        page.get_by_test_id("hear").click()
        assert muted
        assert not page.get_by_test_id("hear").is_visible()
        assert not page.get_by_test_id("video").evaluate("video => video.muted")
        page.goto("about:blank")
    end_sessions(page_server.url)
