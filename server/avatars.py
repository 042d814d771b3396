"""The portraits a session can have: those that ship, and those that callers bring."""

import asyncio
import hashlib
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import yaml
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from liveportrait.portrait_warnings import PortraitWarning
from server.api.problems import ApiError
from server.config.settings import ROOT
from server.storage.files import new_id
from server.storage.schema import AvatarRow
from server.storage.storage import Storage

SHIPPED_DIR = ROOT / "server" / "avatars"
MAX_NAME_CHARS = 80


@dataclass(frozen=True, slots=True)
class AvatarFacts:
    """What lists tell. ``warnings``: of uploads, what the picture will do less well."""

    avatar_id: str
    name: str
    shipped: bool
    warnings: tuple[PortraitWarning, ...] = ()

    def as_json(self) -> dict[str, object]:
        """The API's form."""
        return {
            "id": self.avatar_id,
            "name": self.name,
            "shipped": self.shipped,
            "image_url": f"/v1/avatars/{self.avatar_id}/image",
            "warnings": [asdict(warning) for warning in self.warnings],
        }


@dataclass(frozen=True, slots=True)
class Avatar:
    """A portrait with its picture file, undecoded, as it was brought."""

    facts: AvatarFacts
    image: bytes

    @property
    def avatar_id(self) -> str:
        """The same for as long as it is there."""
        return self.facts.avatar_id

    @property
    def media_type(self) -> str:
        """Told by the file's first bytes; the picture has been decoded before it is kept."""
        if self.image.startswith(b"\x89PNG"):
            return "image/png"
        return "image/webp" if self.image[8:12] == b"WEBP" else "image/jpeg"

    @property
    def sha256(self) -> str:
        """Of the picture file."""
        return hashlib.sha256(self.image).hexdigest()


def load_index(folder: Path = SHIPPED_DIR) -> list[dict[str, str]]:
    """``id``, ``name`` and ``file`` of the portraits that ship."""
    index: dict[str, list[dict[str, str]]] = yaml.safe_load((folder / "index.yaml").read_text())
    return index["avatars"]


def load_shipped(folder: Path = SHIPPED_DIR) -> list[Avatar]:
    """The portraits of ``folder``/index.yaml."""
    return [
        Avatar(AvatarFacts(item["id"], item["name"], True), (folder / item["file"]).read_bytes())
        for item in load_index(folder)
    ]


class AvatarStore:
    """Shipped avatars are everybody's, uploads their owner's alone: at most ``max_uploads`` each.

    Other people's avatars answer as if they were not there. Every call may raise StorageError.
    """

    def __init__(self, shipped: list[Avatar], storage: Storage, max_uploads: int) -> None:
        self.shipped = {avatar.avatar_id: avatar for avatar in shipped}
        self.preparing = asyncio.Semaphore(2)  # portraits prepared at the same time
        self._storage = storage
        self._max_uploads = max_uploads

    async def visible_to(self, owner: str) -> list[AvatarFacts]:
        """Shipped first, then the owner's uploads in their order."""
        ordered = (
            select(AvatarRow)
            .where(AvatarRow.owner == owner)
            .order_by(AvatarRow.created_at, AvatarRow.avatar_id)
        )
        async with self._storage.database.reading() as session:
            uploads = [_facts(row) for row in await session.scalars(ordered)]
        return [avatar.facts for avatar in self.shipped.values()] + uploads

    async def facts(self, avatar_id: str, owner: str) -> AvatarFacts:
        """Raises ApiError ``not_found``."""
        if avatar_id in self.shipped:
            return self.shipped[avatar_id].facts
        async with self._storage.database.reading() as session:
            return _facts(await _own_row(session, avatar_id, owner))

    async def get(self, avatar_id: str, owner: str) -> Avatar:
        """With its picture. Raises ApiError ``not_found``."""
        if avatar_id in self.shipped:
            return self.shipped[avatar_id]
        async with self._storage.database.reading() as session:
            row = await _own_row(session, avatar_id, owner)
        image = await self._storage.files.read(_picture(row.avatar_id))
        if image is None or len(image) != row.byte_count:
            raise ApiError("not_found", f"the picture of avatar {avatar_id!r} is lost; delete it")
        return Avatar(_facts(row), image)

    async def check_room(self, owner: str) -> None:
        """Before work is done for an upload. Raises ApiError ``conflict`` when it has no place."""
        async with self._storage.database.reading() as session:
            await self._check_room(session, owner)

    async def keep(self, avatar: Avatar, owner: str) -> None:
        """From now on its owner can use it. Raises ApiError ``conflict``, StorageError; then
        nothing of it is kept."""
        name = _picture(avatar.avatar_id)
        await self._storage.files.write(name, avatar.image)
        try:
            async with self._storage.database.writing() as session:
                await self._check_room(session, owner)
                session.add(_row(avatar, owner))
        except BaseException:
            await self._storage.files.remove(name)
            raise

    async def delete(self, avatar_id: str, owner: str) -> None:
        """Raises ApiError ``not_found``; ``forbidden`` for those that ship."""
        if avatar_id in self.shipped:
            raise ApiError("forbidden", "the avatars that ship cannot be deleted")
        async with self._storage.database.writing() as session:
            row = await _own_row(session, avatar_id, owner)
            await session.delete(row)
        await self._storage.files.remove(_picture(row.avatar_id))

    async def _check_room(self, session: AsyncSession, owner: str) -> None:
        counting = select(func.count()).select_from(AvatarRow).where(AvatarRow.owner == owner)
        if (await session.scalar(counting) or 0) >= self._max_uploads:
            raise ApiError("conflict", f"{self._max_uploads} uploads are kept; delete one first")


def new_avatar(name: str, image: bytes) -> Avatar:
    """An upload with an id of its own, not kept yet."""
    shown = "".join(c for c in name if c.isprintable()).strip()[:MAX_NAME_CHARS]
    return Avatar(AvatarFacts(new_id("av"), shown or "Portrait", False), image)


async def _own_row(session: AsyncSession, avatar_id: str, owner: str) -> AvatarRow:
    row = await session.get(AvatarRow, avatar_id)
    if row is None or row.owner != owner:
        raise ApiError("not_found", f"there is no avatar {avatar_id!r}")
    return row


def _picture(avatar_id: str) -> str:
    return f"{avatar_id}.picture"


def _facts(row: AvatarRow) -> AvatarFacts:
    warnings = tuple(PortraitWarning(**warning) for warning in row.warnings)
    return AvatarFacts(row.avatar_id, row.name, False, warnings)


def _row(avatar: Avatar, owner: str) -> AvatarRow:
    return AvatarRow(
        avatar_id=avatar.avatar_id,
        owner=owner,
        name=avatar.facts.name,
        media_type=avatar.media_type,
        sha256=avatar.sha256,
        byte_count=len(avatar.image),
        warnings=[asdict(warning) for warning in avatar.facts.warnings],
        created_at=datetime.now(UTC),
    )
