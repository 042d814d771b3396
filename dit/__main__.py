"""The motion room's command line: ``python -m dit COMMAND``."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def main() -> None:
    """Make data, train, sample and evaluate the motion generator."""


@app.command("speech-corpus")
def speech_corpus(
    out: Annotated[Path, typer.Argument(help="folder for NAME.flac and NAME.npz")],
    hours: Annotated[float, typer.Option(min=0.0, help="how much speech to make")] = 1.5,
    seed: Annotated[int, typer.Option(help="another seed makes other sentences")] = 0,
    processes: Annotated[int, typer.Option(min=1)] = 2,
) -> None:
    """Make speech with known phoneme times by text-to-speech, in many voices and speeds."""
    from dit.speech_corpus import make_corpus

    make_corpus(out, hours, seed=seed, processes=processes)


@app.command("distill-encoder")
def distill_encoder(
    corpus: Annotated[Path, typer.Option(help="folder made by speech-corpus")],
    out: Annotated[Path, typer.Option(help="folder for the encoder")],
    clips: Annotated[Path | None, typer.Option(help="folder of talking clips")] = None,
    cache: Annotated[Path, typer.Option(help="targets and checkpoint")] = Path("runs/encoder"),
    steps: Annotated[int, typer.Option(min=1)] = 1000,
    threads: Annotated[int, typer.Option(min=1)] = 2,
) -> None:
    """Train the default speech encoder by distilling a speech recogniser's encoder."""
    from dit.distill import DistillSettings, distill

    distill(corpus, clips, out, cache, DistillSettings(steps=steps, threads=threads))


if __name__ == "__main__":
    app()
