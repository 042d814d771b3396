"""Pages of the client in a browser, as tests open and wait for them.

Only selectors are waited for: ``wait_for_function`` evaluates strings, which the page's strict
Content-Security-Policy forbids, and these tests run under that policy.
"""

import time
from dataclasses import dataclass, field
from typing import Any

import httpx

WAIT_MS = 30_000
LIVE = ("idle", "listening", "speaking")


_CALM_LOOKS, _LOOK_S = 2, 0.15


def end_sessions(url: str) -> None:
    """All of them; a page that was closed while it asked for one leaves it a moment later."""
    calm = 0
    while calm < _CALM_LOOKS:
        left = httpx.get(f"{url}/v1/sessions").json()["sessions"]
        for session in left:
            httpx.delete(f"{url}/v1/sessions/{session['id']}")
        calm = 0 if left else calm + 1
        time.sleep(_LOOK_S)


@dataclass
class ClientPages:
    """Contexts of one test; ``errors`` collects what the pages themselves did wrong."""

    browser: Any
    url: str
    errors: list[str] = field(default_factory=list)
    contexts: list[Any] = field(default_factory=list)

    def open(self, path: str = "/", **context: Any) -> Any:
        """A page in a context of its own."""
        options = {"viewport": {"width": 1280, "height": 800}} | context
        made = self.browser.new_context(**options)
        self.contexts.append(made)
        page = made.new_page()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._note)
        page.goto(self.url + path)
        return page

    def open_gallery(self, path: str = "/", **context: Any) -> Any:
        """The page with its faces there."""
        page = self.open(path, **context)
        page.get_by_role("radio").nth(7).wait_for(state="attached")
        return page

    def close(self) -> None:
        """Close every page, and end whatever sessions are left."""
        for context in self.contexts:
            context.close()
        end_sessions(self.url)

    def _note(self, message: Any) -> None:
        """Whatever breaks the policy for contents is an error of the page."""
        if "Content Security Policy" in message.text:
            self.errors.append(message.text)


def wait_for_phase(page: Any, *phases: str, timeout_ms: float = WAIT_MS) -> None:
    """Until the page is in one of these phases."""
    anyone = ", ".join(f"html[data-phase={phase}]" for phase in phases)
    page.locator(anyone).wait_for(state="attached", timeout=timeout_ms)


def wait_for_picture(page: Any) -> None:
    """Until the first picture is really on the screen."""
    page.locator("html[data-picture=live]").wait_for(state="attached", timeout=WAIT_MS)
