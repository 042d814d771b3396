"""What every test shares: where the material is that does not belong to the repository."""

import os
from pathlib import Path

import pytest

from tests.e2e.fixtures import (
    browser_with_microphone,
    live_server,
    needs_chromium,
    page_server,
    pages,
)
from tests.liveportrait_fixtures import golden, seeded
from tests.published_joyvasa import joyvasa
from tests.server_fixtures import fake_server
from tests.storage_fixtures import postgres, storage, storage_settings

__all__ = [
    "browser_with_microphone",
    "fake_server",
    "golden",
    "joyvasa",
    "live_server",
    "needs_chromium",
    "page_server",
    "pages",
    "postgres",
    "seeded",
    "storage",
    "storage_settings",
]

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the talking clips; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("VISAVIS_SHARED", ROOT.parent / "shared"))
    if not (folder / "data" / "clips").is_dir():
        pytest.skip(f"no talking clips in {folder} (set VISAVIS_SHARED)")
    return folder
