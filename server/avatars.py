"""The portraits a session can have: those that ship, and those that clients bring."""

import asyncio
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from liveportrait.portrait_warnings import PortraitWarning
from server.api.problems import ApiError
from server.config.settings import ROOT

SHIPPED_DIR = ROOT / "server" / "avatars"
MAX_NAME_CHARS = 80


@dataclass(frozen=True, slots=True)
class Avatar:
    """A portrait's picture file, undecoded. Uploads live as long as the server."""

    avatar_id: str
    name: str
    shipped: bool
    image: bytes
    warnings: tuple[PortraitWarning, ...] = ()  # of uploads: what the picture will do less well

    @property
    def media_type(self) -> str:
        """Told by the file's first bytes; the picture has been decoded before it is kept."""
        if self.image.startswith(b"\x89PNG"):
            return "image/png"
        return "image/webp" if self.image[8:12] == b"WEBP" else "image/jpeg"

    def as_json(self) -> dict[str, object]:
        """The API's form."""
        return {
            "id": self.avatar_id,
            "name": self.name,
            "shipped": self.shipped,
            "image_url": f"/v1/avatars/{self.avatar_id}/image",
            "warnings": [asdict(warning) for warning in self.warnings],
        }


def load_index(folder: Path = SHIPPED_DIR) -> list[dict[str, str]]:
    """``id``, ``name`` and ``file`` of the portraits that ship."""
    index: dict[str, list[dict[str, str]]] = yaml.safe_load((folder / "index.yaml").read_text())
    return index["avatars"]


def load_shipped(folder: Path = SHIPPED_DIR) -> list[Avatar]:
    """The portraits of ``folder``/index.yaml."""
    return [
        Avatar(item["id"], item["name"], True, (folder / item["file"]).read_bytes())
        for item in load_index(folder)
    ]


class AvatarStore:
    """Avatars by id; at most ``max_uploads`` uploaded ones."""

    def __init__(self, shipped: list[Avatar], max_uploads: int) -> None:
        self._avatars = {avatar.avatar_id: avatar for avatar in shipped}
        self._max_uploads = max_uploads
        self.uploading = asyncio.Semaphore(2)  # portraits prepared at the same time

    def all(self) -> list[Avatar]:
        """Shipped first, then uploads in their order."""
        return list(self._avatars.values())

    def get(self, avatar_id: str) -> Avatar:
        """Raises ApiError ``not_found``."""
        if avatar_id not in self._avatars:
            raise ApiError("not_found", f"there is no avatar {avatar_id!r}")
        return self._avatars[avatar_id]

    def new(self, name: str, image: bytes) -> Avatar:
        """An upload with an id of its own, not kept yet. Raises ApiError ``conflict`` when full."""
        if sum(not avatar.shipped for avatar in self._avatars.values()) >= self._max_uploads:
            raise ApiError("conflict", f"{self._max_uploads} uploads are kept; delete one first")
        avatar_id = f"av_{secrets.token_hex(8)}"
        name = "".join(c for c in name if c.isprintable()).strip()[:MAX_NAME_CHARS]
        return Avatar(avatar_id, name or "Portrait", False, image)

    def keep(self, avatar: Avatar) -> None:
        """From now on clients can use it."""
        self._avatars[avatar.avatar_id] = avatar

    def delete(self, avatar_id: str) -> None:
        """Raises ApiError ``not_found``; ``forbidden`` for those that ship."""
        if self.get(avatar_id).shipped:
            raise ApiError("forbidden", "the avatars that ship cannot be deleted")
        del self._avatars[avatar_id]
