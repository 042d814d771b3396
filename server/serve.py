"""``python -m server serve``: uvicorn around the application, and an address for people."""

import asyncio
import contextlib
import gc
import socket
from collections.abc import Callable, Iterator

import structlog
import uvicorn
from fastapi import FastAPI

from models.errors import VisavisError
from server.api.http_limits import http_config
from server.app import create_app
from server.config.settings import Settings
from server.context import ServerContext
from server.engine.messages import PortraitPlan
from server.stopping import StopRequest

log = structlog.get_logger(__name__)

UNDISTURBED_S = 1.0  # between two looks whether somebody plays


class CannotListenError(VisavisError):
    """The address is taken, not this machine's, or not to be had by this user."""

    code = "cannot_listen"


class _Server(uvicorn.Server):
    """uvicorn, but signals are heard by StopRequest."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(settings: Settings, announce: Callable[[str], None]) -> None:
    """Until a signal comes; ``announce`` gets the page's address once the engine is ready.

    Raises EngineFailedError when the engine cannot be loaded, BadStorageError when nothing can
    be kept, CannotListenError, ConfigError.
    """
    app = create_app(settings)
    stop = StopRequest()
    with bound_socket(settings.host, settings.port) as listening, stop.heard_from_signals():
        # not by uvicorn, which would log what goes wrong and then end as if all was well
        async with app.router.lifespan_context(app):
            await _serve(app, listening, stop, announce)


async def _serve(
    app: FastAPI, listening: socket.socket, stop: StopRequest, announce: Callable[[str], None]
) -> None:
    context: ServerContext = app.state.context
    sessions, drain_s = context.sessions, context.settings.limits.drain_s
    server = _Server(http_config(app, lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    watching = asyncio.create_task(_watch_engine(context, address_of(listening), announce))
    asked = asyncio.create_task(stop.gently.wait())
    try:
        await asyncio.wait({serving, watching, asked}, return_when=asyncio.FIRST_COMPLETED)
        if watching.done():
            await sessions.end_all("engine_failed")
            watching.result()
        elif asked.done():
            await stop.unless_at_once(sessions.drain(drain_s))
    finally:
        await sessions.end_all("server_stopping")  # before uvicorn cuts their listeners off
        watching.cancel()
        asked.cancel()
        await asyncio.gather(watching, asked, return_exceptions=True)
        server.should_exit = True
        await serving


def bound_socket(host: str, port: int) -> socket.socket:
    """An address to listen on, port 0 being any free one. Raises CannotListenError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise CannotListenError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    return listening


def address_of(listening: socket.socket) -> str:
    """What a browser on this machine calls it."""
    host, port = listening.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{port}/"


async def _watch_engine(
    context: ServerContext, address: str, announce: Callable[[str], None]
) -> None:
    """Never returns. Raises EngineFailedError when there will be no engine."""
    await context.pool.client.wait_ready()
    gc.collect()
    gc.freeze()  # what was loaded stays: searching it for garbage would hold up every session
    with contextlib.suppress(OSError):  # nobody reads it, or the disk is full
        announce(address)
    preparing = asyncio.create_task(prepare_shipped(context))
    try:
        raise await context.pool.failed
    finally:
        preparing.cancel()


async def prepare_shipped(context: ServerContext) -> None:
    """The shipped faces, so that their first sessions begin at once; only while nobody plays: it
    takes most of a core."""
    try:
        for avatar in context.avatars.shipped.values():
            while context.sessions.all():
                await asyncio.sleep(UNDISTURBED_S)
            await context.pool.prepare(PortraitPlan(avatar.avatar_id, avatar.image))
    except VisavisError as error:  # only those sessions begin a little later
        log.warning("portraits_not_prepared", reason=str(error))
