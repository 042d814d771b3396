"""Gradio's application, built once, away from the event loop; nothing of it leaves the server."""

import os

from fastapi import FastAPI

from server.api.access import is_key
from server.avatars import SHIPPED_DIR
from server.config.settings import Settings
from server.studio.bench_results import COMMITTED
from server.studio.parts import DRIVING_CLIP, SAMPLE_VOICE, StudioParts


def build_host(parts: StudioParts, path: str) -> FastAPI:
    """An application that serves the studio's page at ``path``; its lifespan must be run."""
    # read by Gradio when it is imported
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["GRADIO_TEMP_DIR"] = str(parts.folder / "page")
    import gradio as gr

    from server.studio.look import HEAD, theme
    from server.studio.page import build_page

    settings = parts.settings
    host = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    gr.mount_gradio_app(
        host,
        build_page(parts),
        path,
        root_path=path,  # else files of events outside the queue get addresses without it
        theme=theme(),
        head=HEAD,
        auth=_login(settings) if settings.auth_required else None,
        auth_message="Any name; the password is one of this server's API keys.",
        allowed_paths=[
            str(folder)
            for folder in (SHIPPED_DIR, SAMPLE_VOICE.parent, DRIVING_CLIP.parent, COMMITTED)
        ],
        max_file_size=settings.limits.max_studio_upload_bytes,
        show_error=True,
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        enable_monitoring=False,
    )
    return host


def _login(settings: Settings) -> object:
    def allowed(name: str, password: str) -> bool:
        del name
        return is_key(password, settings.api_keys)

    return allowed
