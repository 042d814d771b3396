"""``python -m server serve``: uvicorn around the application, and an address for people."""

import asyncio
import socket
from collections.abc import Callable

import uvicorn

from server.app import create_app
from server.config.settings import Settings
from server.context import ServerContext
from server.engine.client import EngineFailedError
from server.engine.messages import PortraitPlan
from server.storage.storage import open_storage

WEBSOCKET_PING_S = 5.0


async def serve(settings: Settings, announce: Callable[[str], None]) -> None:
    """Until a signal comes; ``announce`` gets the page's address once the engine is ready.

    Raises EngineFailedError when the engine cannot be loaded, BadStorageError when nothing can
    be kept, OSError when the port is taken.
    """
    async with open_storage(settings.storage):
        pass  # what is wrong with it is told before anything starts
    app = create_app(settings)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            ws_ping_interval=WEBSOCKET_PING_S,
            ws_ping_timeout=WEBSOCKET_PING_S,
            ws_max_size=4 * 1024 * 1024,
            timeout_graceful_shutdown=3,
        )
    )
    with bound_socket(settings.host, settings.port) as listening:
        port = listening.getsockname()[1]
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        watching = asyncio.create_task(_watch_engine(server, app, settings.host, port, announce))
        await serving
        watching.cancel()
        outcome = (await asyncio.gather(watching, return_exceptions=True))[0]
        if isinstance(outcome, EngineFailedError):
            raise outcome


def bound_socket(host: str, port: int) -> socket.socket:
    """A listening address, port 0 being any free one. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError:
        listening.close()
        raise
    return listening


async def _watch_engine(
    server: uvicorn.Server, app: object, host: str, port: int, announce: Callable[[str], None]
) -> None:
    while not server.started:
        await asyncio.sleep(0.02)
    context: ServerContext = app.state.context  # type: ignore[attr-defined]
    try:
        await context.pool.client.wait_ready()
    except EngineFailedError:
        server.should_exit = True
        raise
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    announce(f"http://{shown}:{port}/")
    for avatar in context.avatars.shipped.values():
        await context.pool.prepare(PortraitPlan(avatar.avatar_id, avatar.image))
    # from here on only the engine's end matters
    error = await context.pool.failed
    server.should_exit = True
    raise error
