"""Fixtures of the browser tests."""

from collections.abc import Iterator

import pytest

from server.bench.server_process import ServerProcess, running_server
from tests.e2e.browser import chromium_path


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
