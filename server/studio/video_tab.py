"""A picture or a video is moved by a driving video, picture or motion template."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from server.studio.animate_form import job_of
from server.studio.parts import DRIVING_CLIP, StudioParts, existing_file
from server.studio.tasks import AnimateTask
from server.studio.video_options import option_fields
from server.studio.widgets import (
    ENGINES,
    job_buttons,
    named,
    portrait_input,
    readable_errors,
    result_output,
    run_task,
)

_SOURCES = [("Picture", "picture"), ("Video", "video")]
_DRIVERS = [("Video", "video"), ("Picture", "picture"), ("Motion template", "template")]


@dataclass(frozen=True, slots=True)
class _Choice:
    """Fields of which one is used, and the places to show or hide, by kind."""

    fields: dict[str, Any]
    places: dict[str, Any]


def video_tab(parts: StudioParts) -> None:
    """Source, driver and options left, the result right."""

    def animate(
        given: dict[Any, Any],
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> list[Any]:
        with readable_errors():
            source = existing_file(given[sources.fields[given[source_kind]]], "a source")
            driver = existing_file(given[drivers.fields[given[driver_kind]]], "a driver")
            job = job_of(
                source,
                driver,
                named(parts.new_folder(), source, driver),
                given[engine],
                given[quality],
                {name: given[field] for name, field in options.fields.items()},
            )
        return result.shown(run_task(parts, request, progress, AnimateTask(job)))

    with gr.Row():
        with gr.Column():
            source_kind = gr.Radio(_SOURCES, value="picture", label="Source")
            sources = _source_fields(parts)
            driver_kind = gr.Radio(_DRIVERS, value="video", label="Driver")
            drivers = _driver_fields()
            with gr.Row():
                engine = gr.Radio(ENGINES, value="lite", label="Engine", elem_id="video-engine")
                quality = gr.Radio(
                    [("Fast", "fast"), ("Quality", "quality")],
                    value="quality",
                    label="Mode",
                    visible=False,
                )
            with gr.Accordion("Options", open=False):
                options = option_fields()
            connect = job_buttons(parts, "Animate", "video", animate)
        with gr.Column(elem_classes="result"):
            result = result_output("video", picture=True, template=True)
    _connect_choice(source_kind, sources)
    _connect_choice(driver_kind, drivers)
    engine.change(
        lambda chosen: [gr.update(visible=chosen == "liveportrait")] * 2,
        engine,
        [quality, options.neural],
        queue=False,
        api_visibility="private",
    )
    fields = [*sources.fields.values(), *drivers.fields.values(), *options.fields.values()]
    connect({source_kind, driver_kind, engine, quality, *fields}, result)


def _source_fields(parts: StudioParts) -> _Choice:
    with gr.Column(min_width=160) as picture_place:
        picture = portrait_input(parts, "video-source", "Source picture")
    with gr.Column(min_width=160, visible=False) as video_place:
        video = gr.Video(
            label="Source video",
            sources=["upload"],
            elem_id="video-source-clip",
            elem_classes="clip",
        )
    return _Choice(
        {"picture": picture, "video": video}, {"picture": picture_place, "video": video_place}
    )


def _driver_fields() -> _Choice:
    shipped = str(DRIVING_CLIP) if DRIVING_CLIP.is_file() else None
    with gr.Column(min_width=160) as video_place:
        video = gr.Video(
            value=shipped,
            label="Driving video",
            sources=["upload", "webcam"],
            include_audio=True,
            elem_id="video-driver-clip",
            elem_classes="clip",
        )
    with gr.Column(min_width=160, visible=False) as picture_place:
        picture = gr.Image(
            type="filepath", label="Driving picture", height=300, elem_id="video-driver-picture"
        )
    with gr.Column(min_width=160, visible=False) as template_place:
        template = gr.File(
            label="Motion template",
            file_types=[".pkl", ".safetensors"],
            elem_id="video-driver-template",
        )
    return _Choice(
        {"video": video, "picture": picture, "template": template},
        {"video": video_place, "picture": picture_place, "template": template_place},
    )


def _connect_choice(kind: Any, choice: _Choice) -> None:
    """Shows the field of the kind that is chosen."""
    kind.change(
        lambda chosen: [gr.update(visible=name == chosen) for name in choice.places],
        kind,
        list(choice.places.values()),
        queue=False,
        api_visibility="private",
    )
