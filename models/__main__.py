"""Command line of the model files: ``python -m models COMMAND``."""

from pathlib import Path
from typing import Annotated

import typer

from models import weights
from models.errors import VisavisError, WeightsError

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
Names = Annotated[list[str] | None, typer.Argument(help="entries of the manifest; default: all")]


@app.callback()
def main() -> None:
    """See, check and fetch the model files in weights/."""


@app.command("list")
def list_weights() -> None:
    """Print every entry of the manifest: size, state, licence, what it is."""
    for entry in weights.load_manifest().values():
        size = f"{_bytes_of(entry) / 1e6:.1f} MB" if _bytes_of(entry) else "size unknown"
        typer.echo(f"{entry.name:20} {size:>12}  {_state(entry):9} {entry.licence:24}", nl=False)
        typer.echo(f" {entry.about}")


@app.command("verify")
def verify_weights(names: Names = None) -> None:
    """Compare bytes and sha256 of the files with the manifest; exit 1 when one differs.

    Without names, entries that have to be fetched and were not are passed over.
    """
    failed = False
    for entry in _chosen(names):
        if names is None and not entry.shipped and _state(entry) == "missing":
            typer.echo(f"{entry.name}: not fetched")
            continue
        try:
            weights.verify(entry)
            published = all(f.sha256 for f in entry.files)
            typer.echo(f"{entry.name}: ok" + ("" if published else " (no published sha256)"))
        except WeightsError as error:
            failed = True
            typer.echo(f"{entry.name}: {error.code}: {error}", err=True)
    raise typer.Exit(1 if failed else 0)


@app.command("fetch")
def fetch_weights(names: Names = None) -> None:
    """Download files that do not ship with the repository and verify them.

    Without names, nothing is downloaded: licences differ, so it is told what there is to fetch.
    """
    from tqdm import tqdm

    if not names:
        for entry in weights.load_manifest().values():
            if not entry.shipped:
                typer.echo(f"{entry.name}: {entry.about} [{entry.licence}]")
        raise WeightsError("say what to fetch: python -m models fetch NAME")
    for entry in _chosen(names):
        typer.echo(f"{entry.name}: {entry.licence}")
        total = _bytes_of(entry) or None
        with tqdm(total=total, unit="B", unit_scale=True, desc=entry.name) as bar:
            weights.fetch(entry, progress=lambda _, fresh, bar=bar: bar.update(fresh))  # type: ignore[misc]
    typer.echo("all files are there and verified")


@app.command("record")
def record_weights(name: Annotated[str, typer.Argument(help="entry of the manifest")]) -> None:
    """Renew bytes and sha256 of an entry after its files were made anew."""
    weights.record(name)


@app.command("import-moonshine")
def import_moonshine_encoder(
    out: Annotated[Path, typer.Argument(help="folder for the encoder")],
    ort_file: Annotated[
        Path | None, typer.Option(help="encoder_model.ort; default: the package moonshine-voice")
    ] = None,
) -> None:
    """Write the encoder of moonshine-tiny as a directory in the Hugging Face format."""
    from models.moonshine_import import import_moonshine, packaged_encoder

    import_moonshine(ort_file or packaged_encoder(), out)


def _chosen(names: list[str] | None) -> list[weights.WeightEntry]:
    manifest = weights.load_manifest()
    if names is None:
        return list(manifest.values())
    if unknown := [n for n in names if n not in manifest]:
        raise WeightsError(f"unknown weights {unknown[0]!r}; known: {', '.join(sorted(manifest))}")
    return [manifest[n] for n in names]


def _bytes_of(entry: weights.WeightEntry) -> int:
    return sum(f.bytes or 0 for f in entry.files)


def _state(entry: weights.WeightEntry) -> str:
    present = [(weights.WEIGHTS_DIR / f.file).is_file() for f in entry.files]
    return "present" if all(present) else "part" if any(present) else "missing"


def run() -> None:
    """Run the command line; an error that a user can mend is one line, not a traceback."""
    try:
        app()
    except VisavisError as error:
        typer.echo(f"{error.code}: {error}", err=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    run()
