"""Where avatars and videos are kept."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, SecretStr


class StorageSettings(BaseModel):
    """``folder`` is taken from the checkout's root on, unless it is absolute.

    ``database_url``: empty for SQLite inside the folder, or ``postgresql://user:secret@host/name``.
    """

    model_config = ConfigDict(extra="forbid")

    folder: Path = Path("out/visavis")
    database_url: SecretStr = SecretStr("")
