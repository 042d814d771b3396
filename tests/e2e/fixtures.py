"""Fixtures of the browser tests."""

from collections.abc import Iterator
from typing import Any

import pytest

from server.bench.server_process import ServerProcess, running_server
from server.config.settings import Limits
from tests.e2e.browser import chromium, chromium_path
from tests.e2e.client_page import ClientPages
from tests.e2e.voice_file import write_voice_with_pauses
from tests.server_fixtures import FakeServer, make_settings, run_fake_server


@pytest.fixture(scope="session")
def needs_chromium() -> None:
    """Skips where there is no browser to drive."""
    if chromium_path() is None:
        pytest.skip("no Chromium here (apt-get install chromium, or name one in VISAVIS_CHROMIUM)")


@pytest.fixture(scope="session")
def live_server(
    needs_chromium: None,  # noqa: ARG001
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ServerProcess]:
    """The real server, started once for all browser tests."""
    with running_server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="session")
def page_server(
    needs_chromium: None,  # noqa: ARG001
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[FakeServer]:
    """Everything real but the model, and no keys: for what the page does."""
    limits = Limits(max_sessions=2, lost_client_grace_s=30)
    settings = make_settings(tmp_path_factory.mktemp("page"), api_keys=[], limits=limits)
    with run_fake_server(settings) as server:
        yield server


@pytest.fixture(scope="module")
def browser_with_microphone(
    needs_chromium: None,  # noqa: ARG001
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Any]:
    """Somebody talks into its microphone, with pauses."""
    voice = tmp_path_factory.mktemp("voice") / "voice.wav"
    write_voice_with_pauses(voice)
    with chromium(voice) as running:
        yield running


@pytest.fixture
def pages(browser_with_microphone: Any, page_server: FakeServer) -> Iterator[ClientPages]:
    """Opens pages; their own errors fail the test, and their sessions end with it."""
    opened = ClientPages(browser_with_microphone, page_server.url)
    yield opened
    opened.close()
    assert opened.errors == []
