"""The driving-video tool's options as fields of the page."""

from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from liveportrait.animation.options import AnimationOptions

_REGIONS = [
    ("All", "all"),
    ("Expression", "exp"),
    ("Head pose", "pose"),
    ("Lips", "lip"),
    ("Eyes", "eyes"),
]
_DRIVING = [
    ("Expression-friendly", "expression-friendly"),
    ("Pose-friendly", "pose-friendly"),
]
_SOUND = [("The driver's", "driving"), ("The source's", "source"), ("None", "none")]


@dataclass(slots=True)
class OptionFields:
    """Named fields in the order they were made; ``neural``: what only one engine has."""

    fields: dict[str, Any] = field(default_factory=dict)
    neural: Any = None


def option_fields() -> OptionFields:
    """Makes the fields where it is called, the official defaults in them."""
    made, default = OptionFields(), AnimationOptions()
    fields = made.fields
    fields["relative"] = gr.Checkbox(default.relative, label="Relative motion")
    fields["animation_region"] = gr.Radio(_REGIONS, value=default.animation_region, label="Move")
    fields["driving_multiplier"] = gr.Slider(
        0.0, 3.0, value=default.driving_multiplier, step=0.05, label="Strength"
    )
    fields["paste_back"] = gr.Checkbox(True, label="Paste back into the whole picture")
    fields["sound"] = gr.Radio(_SOUND, value="driving", label="Sound")
    fields["max_frames"] = gr.Number(0, label="Frames at most (0: all)", precision=0, minimum=0)
    with gr.Group(visible=False) as made.neural:
        fields |= _neural_fields(default)
    made.fields = fields
    return made


def _neural_fields(default: AnimationOptions) -> dict[str, Any]:
    return {
        "driving_option": gr.Radio(_DRIVING, value=default.driving_option, label="Scale motion"),
        "stitching": gr.Checkbox(default.stitching, label="Stitching: the shoulders stay"),
        "normalize_lip": gr.Checkbox(default.normalize_lip, label="Close the source's lips first"),
        "eye_retargeting": gr.Checkbox(default.eye_retargeting, label="Eyes as the driver's"),
        "lip_retargeting": gr.Checkbox(default.lip_retargeting, label="Lips as the driver's"),
        "source_video_eye_retargeting": gr.Checkbox(
            default.source_video_eye_retargeting, label="Source video: eyes as in its first frame"
        ),
        "smooth_variance": gr.Number(
            default.smooth_variance, label="Source video: smoothing variance"
        ),
        "crop_driving": gr.Checkbox(False, label="Crop the driving video to its face"),
        "animal": gr.Checkbox(False, label="The source is an animal (driven by a template)"),
        "crop_box": gr.Textbox("", label="Face box of an animal", placeholder="x,y,w,h in pixels"),
        "template": gr.Checkbox(False, label="Also save the motion template"),
    }
