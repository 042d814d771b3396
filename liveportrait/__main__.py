"""The picture room's command line: ``python -m liveportrait COMMAND``."""

from pathlib import Path
from typing import Annotated

import typer

from models.errors import VisavisError

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
WEIGHTS = Path(__file__).resolve().parent.parent / "weights"
Weights = Annotated[Path, typer.Option(help="folder of the model files")]


@app.callback()
def main() -> None:
    """Look at the lite renderer, and make its small weights anew."""


@app.command("sheet")
def sheet(
    avatar: Annotated[Path, typer.Option(help="photograph: JPEG, PNG or WebP")],
    out: Annotated[Path, typer.Option(help="picture to write, e.g. sheet.png")],
    clip: Annotated[Path | None, typer.Option(help="take the motion from this video")] = None,
    start: Annotated[int, typer.Option(min=0, help="with --clip: its first frame")] = 0,
    frames: Annotated[int, typer.Option(min=1, help="with --clip: how many")] = 8,
    tile: Annotated[int, typer.Option(min=64, help="size of a tile in pixels")] = 320,
    weights: Weights = WEIGHTS,
) -> None:
    """Draw a portrait in all its poses, or in consecutive frames of a talking clip."""
    import cv2

    from liveportrait.lite.sheet import draw_sheet, draw_strip
    from liveportrait.renderer import load_renderer
    from models.device import DevicePolicy
    from models.images import decode_image

    renderer = load_renderer("lite", DevicePolicy(), weights)
    portrait = renderer.prepare(decode_image(avatar.read_bytes()))
    if clip is None:
        picture = draw_sheet(renderer, portrait, tile)
    else:
        from liveportrait.lite.fit_map import track_clip
        from models.face_keypoints import landmarks_to_motion, relative_to_rest
        from models.face_landmarks import MediaPipeDetector

        meshes = track_clip(clip, MediaPipeDetector(weights / "face_landmarker.task"), stride=1)
        if len(meshes) <= start:
            raise typer.BadParameter(f"{clip} shows a face in {len(meshes)} frames only")
        generated = relative_to_rest(landmarks_to_motion(meshes)[0])[start : start + frames]
        picture = draw_strip(renderer, portrait, generated, tile)
    if not cv2.imwrite(str(out), picture[..., ::-1]):
        raise typer.BadParameter(f"{out} cannot be written")
    typer.echo(f"{out}: {picture.shape[1]}x{picture.shape[0]}")


@app.command("fit-keypoint-map")
def fit_keypoint_map(
    clips: Annotated[Path, typer.Argument(help="folder of clips, each of one talking person")],
    out: Annotated[Path, typer.Option(help="file to write")] = WEIGHTS
    / "lite"
    / "keypoint_map.safetensors",
    stride: Annotated[int, typer.Option(min=1, help="take every n-th frame")] = 4,
    held_out: Annotated[int, typer.Option(min=2, help="measure on every n-th clip")] = 4,
    weights: Weights = WEIGHTS,
) -> None:
    """Learn how 21 keypoints move the whole face mesh; print the held-out error in units."""
    from liveportrait.lite.fit_map import make_keypoint_map
    from models.face_landmarks import MediaPipeDetector

    detector = MediaPipeDetector(weights / "face_landmarker.task")
    for name, value in make_keypoint_map(clips, out, detector, stride, held_out).items():
        typer.echo(f"{name:12} {value:g}")


@app.command("build-mouth-bank")
def build_mouth_bank(
    out: Annotated[Path, typer.Option(help="file to write")] = WEIGHTS
    / "lite"
    / "mouth_bank.safetensors",
    generator: Annotated[
        Path | None, typer.Option(help="folder with the two networks of random-face")
    ] = None,
    faces: Annotated[Path | None, typer.Option(help="also draw the faces into this file")] = None,
    weights: Weights = WEIGHTS,
) -> None:
    """Cut mouth interiors out of synthetic faces (about four minutes on two cores)."""
    from liveportrait.lite.build_bank import FaceGenerator
    from liveportrait.lite.build_bank import build_mouth_bank as build
    from models.face_landmarks import MediaPipeDetector

    detector = MediaPipeDetector(weights / "face_landmarker.task")
    count = build(out, detector, FaceGenerator(generator), faces)
    typer.echo(f"{out}: {count} mouths, {out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    try:
        app()
    except VisavisError as error:
        raise SystemExit(f"{error.code}: {error}") from error
