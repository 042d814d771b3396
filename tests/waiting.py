"""Waiting for what the server does in its own time."""

import asyncio
from typing import Any

import httpx

PATIENCE_S = 180.0  # jobs give way to everything else on the machine


async def video_until(client: httpx.AsyncClient, video_id: str, *statuses: str) -> dict[str, Any]:
    """The video once it is in one of these."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            answer = await client.get(f"/v1/videos/{video_id}")
            assert answer.status_code == 200, answer.text
            body: dict[str, Any] = answer.json()
            if body["status"] in statuses:
                return body
            await asyncio.sleep(0.05)
