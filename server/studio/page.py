"""The studio's page: four tabs."""

import gradio as gr

from server.studio.bench_tab import bench_tab
from server.studio.look import HEADER
from server.studio.parts import StudioParts
from server.studio.retarget_tab import retarget_tab
from server.studio.video_tab import video_tab
from server.studio.voice_tab import voice_tab
from server.studio.widgets import canceller

_WAITING_LIMIT = 32
_CACHE_CHECK_S, _CACHE_AGE_S = 600, 7200  # uploads and results, which also end with the server


def build_page(parts: StudioParts) -> gr.Blocks:
    """The page, with events that go to ``parts``."""
    with gr.Blocks(
        title="Visavis studio",
        analytics_enabled=False,
        delete_cache=(_CACHE_CHECK_S, _CACHE_AGE_S),
    ) as page:
        gr.HTML(HEADER)
        with gr.Tabs():
            with gr.Tab("Voice", id="voice"):
                voice_tab(parts)
            with gr.Tab("Video", id="video"):
                video_tab(parts)
            with gr.Tab("Retarget", id="retarget") as retarget:
                retarget_tab(parts, retarget)
            with gr.Tab("Bench", id="bench"):
                bench_tab(parts)
        page.unload(canceller(parts, asked=False))
    page.queue(max_size=_WAITING_LIMIT, api_open=False)
    return page
