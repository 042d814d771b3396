"""A portrait speaks a sound file or a recording."""

from typing import Any

import gradio as gr

from server.studio.parts import SAMPLE_VOICE, StudioParts, existing_file
from server.studio.widgets import (
    ENGINES,
    job_buttons,
    named,
    portrait_input,
    readable_errors,
    result_output,
    run_task,
)
from server.videos.render_job import RenderJob
from server.videos.render_task import RenderTask


def voice_tab(parts: StudioParts) -> None:
    """Inputs left, the video right."""

    def speak(
        portrait: str | None,
        voice: str | None,
        engine: str,
        mode: str,
        seed: float | None,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> list[Any]:
        with readable_errors():
            face = existing_file(portrait, "a portrait")
            sound = existing_file(voice, "a sound file, or record one,")
        job = RenderJob(
            avatar=str(face),
            audio=sound,
            out=named(parts.new_folder(), face, sound),
            seed=max(0, int(seed or 0)),
            engine=engine,
            mode="chunk" if mode == "chunk" else "live",
        )
        return result.shown(run_task(parts, request, progress, RenderTask(job)))

    with gr.Row():
        with gr.Column():
            portrait = portrait_input(parts, "voice-portrait")
            voice = gr.Audio(
                value=str(SAMPLE_VOICE),
                type="filepath",
                sources=["upload", "microphone"],
                label="Voice",
                buttons=["download"],
                elem_id="voice-sound",
            )
            with gr.Accordion("More", open=False):
                engine = gr.Radio(ENGINES, value="lite", label="Engine")
                mode = gr.Radio(
                    [("Live, as in a conversation", "live"), ("Whole seconds at once", "chunk")],
                    value="live",
                    label="Planning",
                )
                seed = gr.Number(0, label="Seed", precision=0, minimum=0)
            connect = job_buttons(parts, "Make the video", "voice", speak)
        with gr.Column(elem_classes="result"):
            result = result_output("voice")
    connect([portrait, voice, engine, mode, seed], result)
