"""The shipped faces are prepared ahead, but never beside somebody who plays."""

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from models.errors import VisavisError
from server import serve
from server.engine.messages import PortraitPlan


@dataclass
class Pool:
    """Notes what it was asked for."""

    refuses: str = ""
    prepared: list[str] = field(default_factory=list)

    async def prepare(self, plan: PortraitPlan) -> None:
        if plan.avatar_id == self.refuses:
            raise VisavisError("no room")
        self.prepared.append(plan.avatar_id)


def context(pool: Pool, playing: list[str]) -> Any:
    shipped = {
        name: SimpleNamespace(avatar_id=name, image=b"picture") for name in ("anna", "bruno")
    }
    return SimpleNamespace(
        pool=pool,
        avatars=SimpleNamespace(shipped=shipped),
        sessions=SimpleNamespace(all=lambda: playing),
    )


async def test_faces_are_prepared_one_after_the_other() -> None:
    pool = Pool()
    await serve.prepare_shipped(context(pool, []))
    assert pool.prepared == ["anna", "bruno"]


async def test_a_session_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "UNDISTURBED_S", 0.0)
    pool, playing = Pool(), ["somebody"]
    preparing = asyncio.create_task(serve.prepare_shipped(context(pool, playing)))
    for _ in range(20):
        await asyncio.sleep(0)
    assert pool.prepared == []
    playing.clear()
    await preparing
    assert pool.prepared == ["anna", "bruno"]


async def test_a_face_that_cannot_be_prepared_is_no_end() -> None:
    pool = Pool(refuses="anna")
    await serve.prepare_shipped(context(pool, []))
    assert pool.prepared == []
