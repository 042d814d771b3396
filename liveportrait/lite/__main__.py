"""Commands that make the lite engine's small weights anew; part of ``python -m liveportrait``."""

from pathlib import Path
from typing import Annotated

import typer

from liveportrait.console import plain_errors, progress_bar
from models.weights import WEIGHTS_DIR

app = typer.Typer()
_LITE = WEIGHTS_DIR / "lite"
Weights = Annotated[Path, typer.Option(help="Folder of the model files.")]
Generator = Annotated[
    Path | None, typer.Option(help="Folder with the two networks of random-face.")
]


@app.command("fit-keypoint-map")
def fit_keypoint_map(
    clips: Annotated[Path, typer.Argument(help="Folder of clips, each of one talking person.")],
    out: Annotated[Path, typer.Option(help="File to write.")] = _LITE / "keypoint_map.safetensors",
    stride: Annotated[int, typer.Option(min=1, help="Take every n-th frame.")] = 4,
    held_out: Annotated[int, typer.Option(min=2, help="Measure on every n-th clip.")] = 4,
    weights: Weights = WEIGHTS_DIR,
) -> None:
    """Learn how 21 keypoints move the whole face mesh; print the held-out error in units."""
    from liveportrait.lite.fit_map import make_keypoint_map
    from models.face_landmarks import MediaPipeDetector

    with plain_errors():
        detector = MediaPipeDetector(weights / "face_landmarker.task")
        errors = make_keypoint_map(clips, out, detector, stride, held_out)
    for name, value in errors.items():
        typer.echo(f"{name:12} {value:g}")


@app.command("build-mouth-bank")
def build_mouth_bank(
    out: Annotated[Path, typer.Option(help="File to write.")] = _LITE / "mouth_bank.safetensors",
    generator: Generator = None,
    faces: Annotated[Path | None, typer.Option(help="Also draw the faces into this file.")] = None,
    weights: Weights = WEIGHTS_DIR,
) -> None:
    """Cut mouth interiors out of synthetic faces."""
    from liveportrait.lite.build_bank import build_mouth_bank as build
    from liveportrait.lite.synthetic_faces import FaceGenerator
    from models.face_landmarks import MediaPipeDetector

    with plain_errors():
        detector = MediaPipeDetector(weights / "face_landmarker.task")
        count = build(out, detector, FaceGenerator(generator), faces)
    typer.echo(f"{out}: {count} mouths, {out.stat().st_size / 1e6:.1f} MB")


@app.command("draw-people")
def draw_people(
    out: Annotated[Path, typer.Argument(help="Folder to write into.")],
    count: Annotated[int, typer.Option(min=1, help="How many people.")] = 54,
    generator: Generator = None,
    weights: Weights = WEIGHTS_DIR,
) -> None:
    """Draw synthetic adults with eight expressions each; goes on where it was stopped."""
    from liveportrait.lite import synthetic_faces
    from liveportrait.lite.build_bank import ADULTS
    from models.face_landmarks import MediaPipeDetector

    with plain_errors(), progress_bar("drawing people") as show:
        detector = MediaPipeDetector(weights / "face_landmarker.task")
        source = synthetic_faces.FaceGenerator(generator)
        directions, styles = synthetic_faces.fit_directions(source, detector)
        chosen = styles[list(ADULTS[:count])]
        drawn = synthetic_faces.draw_people(out, source, detector, directions, chosen, show)
    typer.echo(f"{out}: {drawn} people")


@app.command("mouth-pairs")
def mouth_pairs(
    out: Annotated[Path, typer.Argument(help="Folder to write into.")],
    clips: Annotated[Path | None, typer.Option(help="Folder of talking clips.")] = None,
    people: Annotated[Path | None, typer.Option(help="Folder of draw-people.")] = None,
    split: Annotated[str, typer.Option(help="Whose clips: train, validation or test.")] = "train",
    frames: Annotated[int, typer.Option(min=5, help="Frames of a clip.")] = 36,
    targets: Annotated[int, typer.Option(min=1, help="Pairs for each photograph.")] = 20,
    weights: Weights = WEIGHTS_DIR,
) -> None:
    """Make the pairs of fit-expression-light; people already in OUT are left alone."""
    from liveportrait.lite.engine import LiteRenderer
    from liveportrait.lite.expression_light.pairs import write_pairs
    from liveportrait.lite.expression_light.people import clip_people, drawn_people, named_split
    from models.device import DevicePolicy
    from models.face_landmarks import MediaPipeDetector

    with plain_errors():
        renderer = LiteRenderer(DevicePolicy(), weights)
        detector = MediaPipeDetector(weights / "face_landmarker.task")
        done = {path.stem for path in out.glob("*.npz")}
        made = 0
        if clips is not None:
            found = clip_people(clips, named_split(split), frames, detector, done)
            made += write_pairs(out, renderer, found, targets, _told)
        if people is not None:
            made += write_pairs(out, renderer, drawn_people(people, done), targets, _told)
    typer.echo(f"{out}: {made} pairs more")


@app.command("fit-expression-light")
def fit_expression_light(
    pairs: Annotated[list[Path], typer.Argument(help="Folders of mouth-pairs.")],
    validation: Annotated[Path, typer.Option(help="Folder of pairs of other people.")],
    out: Annotated[Path, typer.Option(help="File to write.")] = _LITE
    / "expression_light.safetensors",
) -> None:
    """Learn how expressions shade the face around the mouth; print what that explains."""
    from liveportrait.lite.expression_light import fit
    from liveportrait.lite.expression_light.model import save_expression_light

    with plain_errors():
        learnt, others = fit.joined(pairs), fit.joined([validation])
        ratios = fit.fit_ratios(learnt)
        save_expression_light(ratios, out)
    for name, known in (("fitted", learnt), ("other people", others)):
        typer.echo(f"{name:13} {len(known)} pairs, {fit.explained(ratios, known):.1%} explained")


def _told(name: str, pairs: int) -> None:
    typer.echo(f"{name}: {pairs} pairs")


if __name__ == "__main__":
    app()
