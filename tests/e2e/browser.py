"""Headless Chromium, with or without a microphone that plays a file."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium_path() -> str | None:
    """The installed Chromium; ``VISAVIS_CHROMIUM`` names another one. None where there is none."""
    named = os.environ.get("VISAVIS_CHROMIUM")
    if named:
        return named
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


@contextmanager
def chromium(
    voice: Path | None = None, *, microphone: bool = True, plays_unasked: bool = True
) -> Iterator[Any]:
    """A browser whose microphone is granted unasked.

    It plays ``voice`` (a WAV file, over and over), or beeps when there is none; with
    ``microphone=False`` the machine has no microphone at all. With ``plays_unasked=False`` a page
    has no sound before somebody clicks on it, as browsers are delivered.
    """
    from playwright.sync_api import sync_playwright

    path = chromium_path()
    if path is None:
        raise FileNotFoundError("no Chromium on this machine")
    policy = "no-user-gesture-required" if plays_unasked else "document-user-activation-required"
    flags = [*_FLAGS, f"--autoplay-policy={policy}"]
    if microphone:
        flags += ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    if voice is not None:
        flags.append(f"--use-file-for-fake-audio-capture={voice}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=flags, timeout=120_000)
        try:
            yield browser
        finally:
            browser.close()
