"""The ASGI application: routes, problems, limits, the browser client."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from server.api import (
    routes_avatars,
    routes_push,
    routes_server,
    routes_sessions,
    routes_speech,
    routes_videos,
    routes_whep,
    routes_whip,
    stream,
)
from server.api.body_limit import BodyLimit
from server.api.gate import Gate
from server.api.headers import SecurityHeaders
from server.api.openapi import tell_the_truth
from server.api.origins import OriginGuard
from server.api.page_files import PageFiles
from server.api.problems import CrashGuard, add_problem_handlers
from server.api.rates import RateLimits
from server.config.settings import ROOT, VERSION, Settings
from server.context import running_server
from server.studio.mount import StudioMount

WEB_CLIENT_DIR = ROOT / "client" / "web"


def create_app(settings: Settings) -> FastAPI:
    """The application; its lifespan starts and ends the engine worker."""

    studio = StudioMount(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with running_server(settings) as context, studio.running(context.jobs):
            app.state.context = context
            yield

    app = FastAPI(
        title="Visavis",
        version=VERSION,
        summary="A voice in, a talking face out",
        lifespan=lifespan,
        docs_url=None,  # its scripts would come from elsewhere; the text is at /openapi.json
        redoc_url=None,
    )
    add_problem_handlers(app)
    _add_guards(app, settings)
    for module in (
        routes_server,
        routes_avatars,
        routes_sessions,
        routes_push,
        routes_speech,
        routes_videos,
        routes_whep,
        routes_whip,
        stream,
    ):
        app.include_router(module.router)
    tell_the_truth(app)
    studio.add_to(app)
    # last, because it answers every path that is left
    app.mount("/", PageFiles(directory=WEB_CLIENT_DIR, html=True, check_dir=False))
    return app


def _add_guards(app: FastAPI, settings: Settings) -> None:
    """What stands around every route; the last one added is the outermost."""
    security = settings.security
    app.add_middleware(BodyLimit, limits=settings.limits)
    app.add_middleware(Gate, settings=settings, limits=RateLimits(settings))
    app.add_middleware(CrashGuard)
    if security.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=security.cors_origins,
            allow_methods=["GET", "POST", "PATCH", "DELETE", "OPTIONS"],
            allow_headers=["Authorization", "Content-Type", "If-Match"],
            expose_headers=["Location", "Link", "ETag", "Retry-After", "Accept-Patch"],
            allow_private_network=True,  # a page on the web, a server in the house
        )
    app.add_middleware(OriginGuard, settings=settings)
    app.add_middleware(SecurityHeaders, security=security)
