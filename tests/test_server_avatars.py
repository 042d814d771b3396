"""Shipped avatars, and the store of those that callers bring: SQLite and PostgreSQL alike."""

import asyncio
import errno
import os
from dataclasses import replace

import pytest

from liveportrait.portrait_warnings import PortraitWarning
from models.images import decode_image
from server.api.problems import ApiError
from server.avatars import (
    SHIPPED_DIR,
    Avatar,
    AvatarFacts,
    AvatarStore,
    load_shipped,
    new_avatar,
)
from server.config.storage import StorageSettings
from server.storage.errors import StorageFullError
from server.storage.storage import Storage, open_storage

WARNING = PortraitWarning("small_face", "Few pixels.")


def test_every_shipped_portrait_is_listed_once_and_decodes() -> None:
    avatars = load_shipped()
    files = sorted(path.read_bytes() for path in SHIPPED_DIR.glob("*.jpg"))
    assert sorted(avatar.image for avatar in avatars) == files
    assert len({avatar.avatar_id for avatar in avatars}) == len(avatars)
    assert decode_image(avatars[0].image).shape == (768, 768, 3)


def test_the_media_type_is_told_by_the_first_bytes() -> None:
    def kind(image: bytes) -> str:
        return Avatar(AvatarFacts("a", "A", False), image).media_type

    assert kind(b"\x89PNG\r\n\x1a\n") == "image/png"
    assert kind(b"RIFF\x00\x00\x00\x00WEBPVP8 ") == "image/webp"
    assert kind(b"\xff\xd8\xff") == "image/jpeg"


def store_of(storage: Storage, max_uploads: int = 3) -> AvatarStore:
    return AvatarStore(load_shipped()[:1], storage, max_uploads)


async def code_of(refused: object) -> str:
    with pytest.raises(ApiError) as caught:
        await refused  # type: ignore[misc]
    return caught.value.code


async def test_uploads_are_there_again_with_the_next_server(
    storage_settings: StorageSettings,
) -> None:
    mine = new_avatar(" Me\x00\n ", b"\x89PNG me")
    mine = replace(mine, facts=replace(mine.facts, warnings=(WARNING,)))
    async with open_storage(storage_settings) as opened:
        await store_of(opened).keep(mine, "me")
    async with open_storage(storage_settings) as opened:
        store = store_of(opened)
        assert await store.get(mine.avatar_id, "me") == mine
        assert [facts.name for facts in await store.visible_to("me")] == ["Anna", "Me"]
        assert await store.facts(mine.avatar_id, "me") == mine.facts


async def test_an_upload_is_its_owners_alone(storage: Storage) -> None:
    store = store_of(storage)
    mine = new_avatar("Me", b"picture")
    await store.keep(mine, "me")
    assert [facts.avatar_id for facts in await store.visible_to("you")] == ["anna"]
    for call in (store.get, store.facts, store.delete):
        assert await code_of(call(mine.avatar_id, "you")) == "not_found"
        assert await code_of(call("av_0", "me")) == "not_found"
    assert await code_of(store.delete("anna", "me")) == "forbidden"
    await store.delete(mine.avatar_id, "me")
    assert await code_of(store.get(mine.avatar_id, "me")) == "not_found"
    assert list(storage.files.folder.iterdir()) == []


async def test_uploads_at_the_same_moment_are_counted_too(storage: Storage) -> None:
    store = store_of(storage, max_uploads=3)
    coming = [store.keep(new_avatar("Me", b"picture"), "me") for _ in range(8)]
    answers = await asyncio.gather(*coming, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, ApiError)]
    assert [error.code for error in refused] == ["conflict"] * 5
    assert len(list(storage.files.folder.iterdir())) == 3
    assert await code_of(store.check_room("me")) == "conflict"
    await store.check_room("you")
    await store.keep(new_avatar("You", b"picture"), "you")


async def test_a_full_disk_keeps_neither_row_nor_file(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    store = store_of(storage)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(StorageFullError):
            await store.keep(new_avatar("Me", b"picture"), "me")
    assert list(storage.files.folder.iterdir()) == []
    assert len(await store.visible_to("me")) == 1
    await store.keep(new_avatar("Me", b"picture"), "me")


async def test_a_picture_that_was_lost_is_told_and_can_be_deleted(storage: Storage) -> None:
    store = store_of(storage)
    mine = new_avatar("Me", b"picture")
    await store.keep(mine, "me")
    await storage.files.remove_all(mine.avatar_id)
    assert await code_of(store.get(mine.avatar_id, "me")) == "not_found"
    await store.delete(mine.avatar_id, "me")
    assert len(await store.visible_to("me")) == 1
