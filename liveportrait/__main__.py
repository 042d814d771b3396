"""The picture room's command line: ``python -m liveportrait COMMAND``."""

import sys

if __name__ == "__main__" and sys.argv[1:2] == ["check"]:
    # for a bare GPU machine, which has torch and numpy, and none of what follows
    from liveportrait.check import main as check_main

    raise SystemExit(check_main(sys.argv[2:]))

from pathlib import Path
from typing import Annotated, Any

import typer

from liveportrait.animate.job import AnimateJob, CropBox, EngineName, Quality, Sound
from liveportrait.animation.options import AnimationOptions, AnimationRegion, DrivingOption
from liveportrait.bench.job import BenchDevice, BenchJob
from liveportrait.console import plain_errors, progress_bar
from liveportrait.lite.__main__ import app as make_weights
from models.weights import WEIGHTS_DIR

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
app.add_typer(make_weights)
Weights = Annotated[Path, typer.Option(help="Folder of the model files.")]
Workers = Annotated[int, typer.Option(min=1, max=64, help="Threads for crops and paste-back.")]


def _in(panel: str, text: str, *names: str, **settings: Any) -> Any:
    return typer.Option(*names, help=text, rich_help_panel=panel, **settings)


_FILES, _MOTION, _PICTURE, _RUN = "Files", "Motion", "Picture", "How it runs"
_SEEDED = ("--seeded-weights",)  # no --no-...


@app.callback()
def main() -> None:
    """Motion to frames: animate pictures, measure the engines, make their small weights anew."""


@app.command("animate")
def animate(
    source: Annotated[Path, _in(_FILES, "Photograph (JPEG, PNG, WebP) or video to animate.")],
    driving: Annotated[
        Path, _in(_FILES, "Video or picture of a face, or a motion template (.pkl, .safetensors).")
    ],
    out: Annotated[Path, _in(_FILES, "MP4 to write; a picture for a picture as driver.")],
    sound: Annotated[Sound, _in(_FILES, "Whose sound the MP4 gets.")] = "driving",
    template_out: Annotated[
        Path | None, _in(_FILES, "Also keep the driver's motion as a template. liveportrait only.")
    ] = None,
    weights: Annotated[Path, _in(_FILES, "Folder of the model files.")] = WEIGHTS_DIR,
    engine: Annotated[
        EngineName, _in(_RUN, "lite: ships with Visavis; liveportrait: official networks.")
    ] = "lite",
    quality: Annotated[
        Quality, _in(_RUN, "liveportrait, fast: half precision; quality: float32 all through.")
    ] = "quality",
    workers: Annotated[int, _in(_RUN, "Threads for crops and paste-back.", min=1, max=64)] = 2,
    batch: Annotated[int, _in(_RUN, "Frames that the networks take at once.", min=1, max=64)] = 4,
    max_frames: Annotated[
        int | None, _in(_RUN, "Stop after so many frames of the driver.", min=1)
    ] = None,
    seeded_weights: Annotated[
        bool, _in(_RUN, "Made-up weights: tries the path, the picture is noise.", *_SEEDED)
    ] = False,
    region: Annotated[AnimationRegion, _in(_MOTION, "What the driver moves.")] = "all",
    relative: Annotated[
        bool,
        _in(
            _MOTION,
            "Add the driver's movement since its first frame, or copy its pose.",
            "--relative/--absolute",
        ),
    ] = True,
    driving_multiplier: Annotated[float, _in(_MOTION, "Strength of the movement.")] = 1.0,
    driving_option: Annotated[
        DrivingOption, _in(_MOTION, "expression-friendly fits movement to the face's size.")
    ] = "expression-friendly",
    stitching: Annotated[bool, _in(_MOTION, "Keep the shoulders where they are.")] = True,
    normalize_lip: Annotated[bool, _in(_MOTION, "First close the source's open mouth.")] = False,
    eye_retargeting: Annotated[bool, _in(_MOTION, "Only: eyes as open as the driver's.")] = False,
    lip_retargeting: Annotated[bool, _in(_MOTION, "Only: lips as open as the driver's.")] = False,
    source_video_eye_retargeting: Annotated[
        bool, _in(_MOTION, "Source video: eyes as open as in its first frame.")
    ] = False,
    smooth_variance: Annotated[
        float, _in(_MOTION, "Source video: smoothing of its own motion.")
    ] = 3e-7,
    paste_back: Annotated[
        bool, _in(_PICTURE, "The whole picture, or only the 512 x 512 crop.")
    ] = True,
    crop_driving: Annotated[
        bool, _in(_PICTURE, "Cut the face out of the driving video (always if it is not square).")
    ] = False,
    crop_box: Annotated[
        str | None, _in(_PICTURE, "x,y,w,h of the source's face in pixels, instead of a search.")
    ] = None,
    animal: Annotated[bool, _in(_PICTURE, "Networks for animals; needs --crop-box.")] = False,
) -> None:
    """Move a photograph or a video as a driving video, picture or template does."""
    from liveportrait.animate.run import animate as run_job

    with plain_errors():
        options = AnimationOptions(
            relative=relative,
            driving_option=driving_option,
            animation_region=region,
            driving_multiplier=driving_multiplier,
            stitching=stitching,
            normalize_lip=normalize_lip,
            eye_retargeting=eye_retargeting,
            lip_retargeting=lip_retargeting,
            source_video_eye_retargeting=source_video_eye_retargeting,
            smooth_variance=smooth_variance,
        )
        job = AnimateJob(
            source=source,
            driving=driving,
            out=out,
            engine=engine,
            quality=quality,
            options=options,
            paste_back=paste_back,
            crop_driving=crop_driving,
            animal=animal,
            crop_box=CropBox.parse(crop_box) if crop_box else None,
            sound=sound,
            workers=workers,
            batch=batch,
            max_frames=max_frames,
            template_out=template_out,
            weights=weights,
            seeded_weights=seeded_weights,
        )
        with progress_bar(out.name) as progress:
            result = run_job(job, progress)
    typer.echo(f"{result.path}: {result.frames} frames in {result.seconds:.1f} s")


@app.command("make-template")
def make_template(
    driving: Annotated[Path, typer.Option(help="Video or picture of a face.")],
    out: Annotated[Path, typer.Option(help=".pkl (the official form) or .safetensors.")],
    crop_driving: Annotated[bool, typer.Option(help="Cut the face out first.")] = False,
    quality: Annotated[Quality, typer.Option(help="As in animate.")] = "quality",
    max_frames: Annotated[int | None, typer.Option(min=1, help="Stop after so many.")] = None,
    workers: Workers = 2,
    weights: Weights = WEIGHTS_DIR,
    seeded_weights: Annotated[
        bool, typer.Option(*_SEEDED, help="Made-up weights, for a try.")
    ] = False,
) -> None:
    """Keep the motion of a driving video as a template, without its pixels."""
    from liveportrait.animate.make_template import TemplateJob, write_template
    from liveportrait.animate.neural_driver import Driver

    with plain_errors():
        driver = Driver(
            driving, crop_driving, max_frames=max_frames, workers=workers, weights=weights
        )
        job = TemplateJob(driver, out, quality, seeded_weights=seeded_weights)
        with progress_bar(out.name) as progress:
            frames = write_template(job, progress)
    typer.echo(f"{out}: {frames} frames of motion")


@app.command("bench")
def bench(
    source: Annotated[Path, typer.Option(help="Photograph to animate.")],
    driving: Annotated[Path, typer.Option(help="Driving video.")],
    out: Annotated[Path, typer.Option(help="Folder for the table, the chart and the JSON.")],
    frames: Annotated[int | None, typer.Option(min=1, help="That every row draws.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Of the rows that batch.")] = None,
    device: Annotated[BenchDevice, typer.Option(help="auto: the GPU if there is one.")] = "auto",
    threads: Annotated[int, typer.Option(min=1, help="Of the networks on a CPU.")] = 2,
    workers: Workers = 2,
    weights: Weights = WEIGHTS_DIR,
    seeded_weights: Annotated[bool, typer.Option(*_SEEDED, help="Made-up weights.")] = False,
) -> None:
    """The original against the optimised path, switched on step by step: table, chart, JSON."""
    from liveportrait.bench.run import run_bench

    with plain_errors(), progress_bar("bench") as progress:
        files = (source, driving, out)
        job = BenchJob(*files, frames, batch, device, threads, workers, weights, seeded_weights)
        report = run_bench(job, progress)
    typer.echo(report.markdown())
    typer.echo(f"{out}: bench.md, bench.png, bench.json")


@app.command(
    "check",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def check(context: typer.Context) -> None:
    """Parity, speed and sustained sessions on this machine's GPU: --cuda --out DIR."""
    from liveportrait.check import main as check_main

    raise typer.Exit(check_main(context.args))


@app.command("convert-weights")
def convert_weights(weights: Weights = WEIGHTS_DIR) -> None:
    """Write a .safetensors beside every official .pth, which may then be deleted."""
    from liveportrait.networks.official import convert_weights as convert

    with plain_errors():
        for path in convert(weights):
            typer.echo(str(path))


@app.command("sheet")
def sheet(
    avatar: Annotated[Path, typer.Option(help="photograph: JPEG, PNG or WebP")],
    out: Annotated[Path, typer.Option(help="picture to write, e.g. sheet.png")],
    clip: Annotated[
        Path | None,
        typer.Option(help="take the motion from this video, or from the .npz of `dit sample`"),
    ] = None,
    start: Annotated[int, typer.Option(min=0, help="with --clip: its first frame")] = 0,
    frames: Annotated[int, typer.Option(min=1, help="with --clip: how many")] = 8,
    tile: Annotated[int, typer.Option(min=64, help="size of a tile in pixels")] = 320,
    weights: Weights = WEIGHTS_DIR,
) -> None:
    """Draw a portrait in all its poses, or in consecutive frames of a talking clip (lite)."""
    from liveportrait.lite.sheet import write_sheet

    with plain_errors():
        width, height = write_sheet(avatar, out, clip, slice(start, start + frames), tile, weights)
    typer.echo(f"{out}: {width}x{height}")


@app.command("evaluate")
def evaluate(
    clips: Annotated[Path, typer.Argument(help="folder of clips, each of one talking person")],
    out: Annotated[
        Path | None, typer.Option(help="folder for sheet.png and evaluation.json")
    ] = None,
    portraits: Annotated[
        Path, typer.Option(help="folder of photographs that the clips move, too")
    ] = Path("server/avatars"),
    splits: Annotated[
        Path | None, typer.Option(help="table `beginning of a clip's name: split`, YAML or JSON")
    ] = None,
    split: Annotated[
        list[str] | None, typer.Option(help="validation, test: which people; both if left out")
    ] = None,
    max_frames: Annotated[int, typer.Option(min=4, help="of a clip, at 25 a second")] = 75,
    stride: Annotated[int, typer.Option(min=1, help="networks look at every n-th frame")] = 5,
    weights: Weights = WEIGHTS_DIR,
) -> None:
    """Judge the lite picture on people left out of training: figures, and a sheet to look at."""
    from liveportrait.evaluation.run import EvaluationJob
    from liveportrait.evaluation.run import evaluate as run_evaluation

    with plain_errors(), progress_bar("evaluate") as progress:
        wanted = tuple(split or ("validation", "test"))
        job = EvaluationJob(clips, portraits, weights, out, splits, wanted, max_frames, stride)
        report = run_evaluation(job, progress)
    typer.echo(report.text())


if __name__ == "__main__":
    app()
