"""The ASGI application: routes, problems, limits, the browser client."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from server.api import routes_avatars, routes_server, routes_sessions, routes_speech, stream
from server.api.body_limit import BodyLimit
from server.api.problems import add_problem_handlers
from server.config.settings import ROOT, VERSION, Settings
from server.context import running_server
from server.studio.mount import StudioMount

WEB_CLIENT_DIR = ROOT / "client" / "web"


def create_app(settings: Settings) -> FastAPI:
    """The application; its lifespan starts and ends the engine worker."""

    studio = StudioMount(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with running_server(settings) as context, studio.running():
            app.state.context = context
            yield

    app = FastAPI(
        title="Visavis",
        version=VERSION,
        summary="A voice in, a talking face out",
        lifespan=lifespan,
    )
    add_problem_handlers(app)
    app.add_middleware(
        BodyLimit,
        max_audio_bytes=settings.limits.max_audio_bytes,
        max_studio_upload_bytes=settings.limits.max_studio_upload_bytes,
    )
    for module in (routes_server, routes_avatars, routes_sessions, routes_speech, stream):
        app.include_router(module.router)
    studio.add_to(app)
    # last, because it answers every path that is left
    app.mount("/", StaticFiles(directory=WEB_CLIENT_DIR, html=True, check_dir=False))
    return app
