"""What the tabs of the studio share."""

import secrets
from dataclasses import dataclass
from pathlib import Path

from models.errors import ConfigError
from server.avatars import SHIPPED_DIR, load_index
from server.config.settings import ROOT, Settings
from server.jobs.runner import JobRunner
from server.studio.preview import Preview

SAMPLE_VOICE = ROOT / "client" / "web" / "samples" / "hello.wav"
DRIVING_CLIP = Path(__file__).with_name("examples") / "driving.mp4"


@dataclass(frozen=True, slots=True)
class StudioParts:
    """One server's studio. ``folder`` is removed when the server stops."""

    folder: Path
    jobs: JobRunner
    preview: Preview
    settings: Settings

    @property
    def portraits(self) -> list[Path]:
        """The shipped avatars' pictures."""
        return [SHIPPED_DIR / item["file"] for item in load_index()]

    def new_folder(self) -> Path:
        """An empty folder for the files of one job."""
        folder = self.folder / "jobs" / secrets.token_hex(8)
        folder.mkdir(parents=True)
        return folder


def existing_file(path: str | None, what: str) -> Path:
    """A file that the page gave, or a ConfigError that asks for it."""
    if not path:
        raise ConfigError(f"choose {what} first")
    return Path(path)
