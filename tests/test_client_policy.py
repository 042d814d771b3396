"""The page under its Content-Security-Policy, in headless Chromium: nothing of it is blocked."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.browser import chromium
from tests.server_fixtures import KEY, FakeServer

pytestmark = pytest.mark.browser

WATCH = """
window.blocked = [];
addEventListener('securitypolicyviolation', (event) => {
  blocked.push(`${event.effectiveDirective}: ${event.blockedURI} ${event.sourceFile}`);
});
"""


@pytest.fixture(scope="module")
def browser(needs_chromium: None) -> Iterator[Any]:  # noqa: ARG001
    with chromium() as running:
        yield running


def test_nothing_is_blocked_from_the_gallery_to_a_running_session(
    browser: Any, fake_server: FakeServer
) -> None:
    page = browser.new_context().new_page()
    page.add_init_script(WATCH)
    page.goto(fake_server.url)
    page.locator("#key-input").fill(KEY)
    page.locator("#key-dialog button.primary").click()
    page.get_by_role("radio").nth(7).wait_for(state="attached", timeout=60_000)
    page.get_by_test_id("primary").click()
    page.wait_for_function(
        "() => document.documentElement.dataset.picture === 'live'", timeout=60_000
    )
    blocked = page.evaluate("window.blocked")
    page.get_by_test_id("primary").click()
    page.wait_for_function("() => visavis.phase() === 'ready'", timeout=60_000)
    page.context.close()
    assert blocked == []


def test_what_a_stranger_puts_into_the_page_does_not_run(
    browser: Any, fake_server: FakeServer
) -> None:
    """That the policy is there and holds: otherwise the test above could not fail."""
    page = browser.new_context().new_page()
    page.add_init_script(WATCH)
    page.goto(fake_server.url)
    page.evaluate(
        """() => {
             const script = document.createElement('script');
             script.textContent = 'window.ran = true';
             document.body.append(script);
             const style = document.createElement('p');
             style.setAttribute('style', 'color: red');
             document.body.append(style);
           }"""
    )
    page.wait_for_function("() => window.blocked.length >= 2")
    assert page.evaluate("window.ran") is None
    page.context.close()
