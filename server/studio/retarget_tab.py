"""Sliders for eyes, lips and pose, with a picture that follows them."""

import secrets
from pathlib import Path
from typing import Any

import gradio as gr

from liveportrait.animation.sliders import SLIDER_RANGES
from server.studio.own_ratios import OwnRatios
from server.studio.parts import StudioParts, existing_file
from server.studio.preview import PreviewRequest
from server.studio.sliders import SLIDERS, Group, at_rest, settings_of
from server.studio.widgets import ENGINES, portrait_input, readable_errors

PREVIEWS = "studio-previews"
_KEPT_PICTURES = 32
_REST = at_rest(OwnRatios(eyes=0.35, lips=0.0))


def retarget_tab(parts: StudioParts, tab: Any) -> None:
    """Portrait and sliders left, the preview right; nothing is rendered before the tab is open."""

    def start_over(portrait: str | None, engine: str) -> list[Any]:
        """The portrait as it is, and the sliders where it has them."""
        if not portrait:  # taken away to make room for another one
            return [None, *[gr.skip()] * len(SLIDERS)]
        with readable_errors():
            face = existing_file(portrait, "a portrait")
            answer = parts.preview.picture(PreviewRequest(face, engine, None))
            return [_kept(parts, answer.jpeg), *at_rest(answer.own)]

    def follow(portrait: str | None, engine: str, *values: float) -> str:
        with readable_errors():
            face = existing_file(portrait, "a portrait")
            request = PreviewRequest(face, engine, settings_of(values))
            return _kept(parts, parts.preview.picture(request).jpeg)

    with gr.Row():
        with gr.Column():
            with gr.Accordion("Portrait", open=True):
                portrait = portrait_input(parts, "retarget-portrait")
            engine = gr.Radio(ENGINES, value="lite", label="Engine")
        with gr.Column():
            preview = gr.Image(
                label="Preview",
                type="filepath",
                interactive=False,
                height=420,
                buttons=["download", "fullscreen"],
                elem_id="retarget-preview",
                elem_classes="preview",
            )
            sliders = _sliders()
            reset = gr.Button("Reset", elem_id="retarget-reset")
    given = [portrait, engine]
    common = {"concurrency_limit": 1, "concurrency_id": PREVIEWS, "api_visibility": "private"}
    gr.on(
        [portrait.change, engine.change, reset.click, tab.select],
        start_over,
        given,
        [preview, *sliders],
        show_progress_on=[preview],
        trigger_mode="always_last",
        **common,
    )
    gr.on(
        [slider.input for slider in sliders],
        follow,
        [*given, *sliders],
        preview,
        show_progress="hidden",
        trigger_mode="always_last",
        **common,
    )


def _sliders() -> list[Any]:
    """In the order of SLIDERS: eyes, lips and pose at once, the rest folded away."""
    made = {name: _slider_of(name) for group in ("eyes", "lips", "pose") for name in _names(group)}
    with gr.Accordion("More", open=False):
        made |= {name: _slider_of(name) for name in _names("more")}
    return [made[slider.name] for slider in SLIDERS]


def _names(group: Group | str) -> list[str]:
    return [slider.name for slider in SLIDERS if slider.group == group]


def _slider_of(name: str) -> Any:
    index = next(i for i, slider in enumerate(SLIDERS) if slider.name == name)
    limits = SLIDER_RANGES[name]
    return gr.Slider(
        limits.low,
        limits.high,
        value=_REST[index],
        step=SLIDERS[index].step,
        label=SLIDERS[index].label,
        buttons=[],
        elem_id=f"slider-{name}",
    )


def _kept(parts: StudioParts, jpeg: bytes) -> str:
    """The picture as a file for Gradio, which makes its own copy; only the last ones are kept."""
    folder = parts.folder / "previews"
    folder.mkdir(exist_ok=True)
    for old in sorted(folder.iterdir(), key=_age)[:-_KEPT_PICTURES]:
        old.unlink(missing_ok=True)
    path = folder / f"retargeted-{secrets.token_hex(6)}.jpg"
    path.write_bytes(jpeg)
    return str(path)


def _age(path: Path) -> float:
    return path.stat().st_mtime
